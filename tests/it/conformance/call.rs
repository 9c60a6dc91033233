//! One call, and how it ends.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, StatusCode};
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use tonic::Code;

use super::message;
use super::peer::PATIENCE;

pub(super) const LOOKUP: &str = "/segue.v1.LookupService/Lookup";
pub(super) const BATCH_LOOKUP: &str = "/segue.v1.LookupService/BatchLookup";

/// All that a caller can tell of a call's end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// With `grpc-status`: in trailers, or in a head that is all there is.
    Ended { code: Code, messages: Vec<Bytes> },
    /// With another HTTP status than 200.
    Http(StatusCode),
    /// By a RST_STREAM.
    Reset(Reason),
    /// Because the connection did.
    Disconnected,
}

impl Outcome {
    /// Nothing but a code.
    pub(super) fn failed(code: Code) -> Self {
        Self::Ended { code, messages: Vec::new() }
    }

    pub(super) fn answered(message: impl prost::Message) -> Self {
        Self::Ended { code: Code::Ok, messages: vec![message.encode_to_vec().into()] }
    }

    fn broken(error: &h2::Error) -> Self {
        match error.reason() {
            Some(reason) if error.is_reset() => Self::Reset(reason),
            _ => Self::Disconnected,
        }
    }
}

/// A call whose head has been sent.
pub(super) struct Call {
    pub(super) body: SendStream<Bytes>,
    pub(super) answer: ResponseFuture,
}

impl Call {
    /// Sends a piece of the body in a frame of its own.
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>, end: bool) {
        // The peer may have ended the call already, as it should for some of what is sent here.
        let _ = self.body.send_data(Bytes::copy_from_slice(bytes.as_ref()), end);
    }

    /// Sends the pieces, each after the peer has had time to take the one before.
    pub(super) async fn send_slowly<'p>(&mut self, pieces: impl IntoIterator<Item = &'p [u8]>) {
        for piece in pieces {
            self.send(piece, false);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) async fn outcome(self) -> Outcome {
        // The sending half stays: to drop it would reset what is not ended.
        let Self { body: _body, answer } = self;
        let ended = tokio::time::timeout(PATIENCE, read(answer)).await.expect("the call never ended");
        ended.unwrap_or_else(|error| Outcome::broken(&error))
    }
}

/// The head of a call as any client sends it, `more` headers set beside or instead.
pub(super) fn head(path: &str, more: &[(&'static str, &str)]) -> Request<()> {
    let request = Request::post(format!("http://localhost{path}")).header("te", "trailers");
    let mut request = request.header("content-type", "application/grpc").body(()).unwrap();
    for (name, value) in more {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Reads an answer to its end, and holds every one to what no answer may lack.
async fn read(answer: ResponseFuture) -> Result<Outcome, h2::Error> {
    let (head, mut body) = answer.await?.into_parts();
    if head.status != StatusCode::OK {
        return Ok(Outcome::Http(head.status));
    }
    assert_eq!(head.headers["content-type"], "application/grpc", "{head:?}");
    if body.is_end_stream() {
        return Ok(Outcome::failed(code(&head.headers)));
    }
    let mut data = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        data.extend(chunk);
    }
    let trailers = body.trailers().await?.expect("an answer without trailers");
    Ok(Outcome::Ended { code: code(&trailers), messages: message::split(&data) })
}

fn code(headers: &HeaderMap) -> Code {
    let mut codes = headers.get_all("grpc-status").iter();
    let code = codes.next().unwrap_or_else(|| panic!("an answer ends without grpc-status: {headers:?}"));
    assert!(codes.next().is_none(), "{headers:?}");
    Code::from_bytes(code.as_bytes())
}
