//! Calls that tonic answers, carried between its bodies and HTTP/2 streams.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use h2::{Reason, RecvStream, SendStream};
use http_body::Frame;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::connection::Accepted;

/// Lets `router` answer a call. A caller that goes ends it.
pub(super) async fn pass((request, mut respond): Accepted, router: Router) {
    let request = request.map(|body| Body::new(Received { body, data_done: false }));
    let response = tokio::select! {
        Ok(response) = router.oneshot(request) => response,
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    let (head, body) = response.into_parts();
    // Both fail only where the caller has gone.
    if let Ok(mut stream) = respond.send_response(Response::from_parts(head, ()), body.is_end_stream()) {
        let _ = send(body, &mut stream).await;
    }
}

async fn send(mut body: Body, stream: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    if body.is_end_stream() {
        return Ok(());
    }
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return Ok(()),
        };
        match frame.transpose() {
            Ok(None) => return stream.send_data(Bytes::new(), true),
            Err(_) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => send_data(data, stream).await?,
                Err(frame) => return stream.send_trailers(frame.into_trailers().unwrap_or_default()),
            },
        }
    }
}

/// Waits for room: what a caller does not take must not pile up.
async fn send_data(data: Bytes, stream: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    // A byte of room is enough: what exceeds the window waits in order. Asking for all of it at once would keep other
    // calls from the connection's window.
    stream.reserve_capacity(usize::from(!data.is_empty()));
    while !data.is_empty() && stream.capacity() == 0 {
        match poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(room) => drop(room?),
            // The stream is over; sending says so.
            None => break,
        }
    }
    stream.send_data(data, false)
}

/// A call's body as HTTP frames.
struct Received {
    body: RecvStream,
    data_done: bool,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Self { body, data_done } = self.get_mut();
        if !*data_done {
            match ready!(body.poll_data(cx)).transpose()? {
                Some(data) => {
                    body.flow_control().release_capacity(data.len())?;
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                None => *data_done = true,
            }
        }
        let trailers = ready!(body.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
