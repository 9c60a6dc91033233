//! The outermost layer: counts every call at its true end, and ends streams when the server drains.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status};

use super::error::{ServeError, kind_of, kind_of_status, sized};
use super::face::{self, Face};
use super::metrics::{Metrics, Series};
use bytesize::ByteSize;

/// What the layer of one router knows.
pub(super) struct Observer {
    face: Face,
    max_message: ByteSize,
    stop: CancellationToken,
    /// By matched path (HTTP) or path (gRPC); only what is really served, so that strangers add no series.
    series: HashMap<String, Arc<Series>>,
    other: Arc<Series>,
}

impl Observer {
    pub(super) fn new(
        face: Face,
        paths: impl IntoIterator<Item = String>,
        metrics: &Metrics,
        max_message: ByteSize,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let series = |path: String| (path.clone(), metrics.series(face, method(face, &path)));
        let series = paths.into_iter().map(series).collect();
        Arc::new(Self { face, max_message, stop, series, other: metrics.series(face, "other") })
    }

    fn begin(&self, request: &Request) -> Call {
        let matched = request.extensions().get::<MatchedPath>();
        let path = match self.face {
            Face::Grpc => request.uri().path(),
            Face::Http => matched.map_or("", MatchedPath::as_str),
        };
        Call::begin(self.face, self.series(path))
    }

    /// The series of a path, or that of all paths that nobody serves.
    pub(super) fn series(&self, path: &str) -> Arc<Series> {
        Arc::clone(self.series.get(path).unwrap_or(&self.other))
    }
}

/// gRPC methods are named as `segue.v1.LookupService/Lookup`, HTTP routes by their path.
fn method(face: Face, path: &str) -> &str {
    match face {
        Face::Grpc => path.trim_start_matches('/'),
        Face::Http => path,
    }
}

/// The layer itself.
pub(super) async fn observe(State(observer): State<Arc<Observer>>, request: Request, next: Next) -> Response {
    let mut call = observer.begin(&request);
    let mut response = next.run(request).await;
    call.series.answered(call.began);
    if let Some(status) = response.extensions_mut().remove::<Status>() {
        response = sized(status, observer.max_message).into_http();
    }
    if let Some(kind) = kind_of(&response) {
        call.series.refused(&kind);
    }
    if let Some(code) = observer.face.head_code(&response) {
        call.code = code;
    }
    response.map(|body| Body::new(Watched { body, call, stop: Stop::of(&observer.stop), cut: false }))
}

/// One call, counted when it is dropped: an answer that nobody took to its end counts as given up.
pub(super) struct Call {
    face: Face,
    series: Arc<Series>,
    code: u16,
    began: Instant,
}

impl Call {
    pub(super) fn begin(face: Face, series: Arc<Series>) -> Self {
        series.begin();
        Self { face, series, code: face.gone(), began: Instant::now() }
    }

    /// Its answer begins.
    pub(super) fn answers(&self) {
        self.series.answered(self.began);
    }

    /// Its answer is whole, and of this code.
    pub(super) fn answered(&mut self, code: Code) {
        self.code = code as u16;
    }

    /// It is turned away.
    pub(super) fn refused(&mut self, status: &Status) {
        self.answers();
        self.answered(status.code());
        if let Some(kind) = kind_of_status(status) {
            self.series.refused(&kind);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.series.ended(self.code);
        if tracing::enabled!(tracing::Level::DEBUG) {
            let (method, code) = (&*self.series.method, self.face.code_name(self.code));
            tracing::debug!(api = self.face.name(), method, code, seconds = self.began.elapsed().as_secs_f64(), "call");
        }
    }
}

/// An answer's body, watched to its end. One that has nothing to send when the server drains is ended.
struct Watched {
    body: Body,
    call: Call,
    stop: Stop,
    cut: bool,
}

/// Waited for only by bodies that are not ready, so that an ordinary answer pays nothing.
enum Stop {
    Unasked(CancellationToken),
    Awaited(Pin<Box<WaitForCancellationFutureOwned>>),
}

impl Stop {
    fn of(token: &CancellationToken) -> Self {
        Self::Unasked(token.clone())
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if let Self::Unasked(token) = self {
            *self = Self::Awaited(Box::pin(token.clone().cancelled_owned()));
        }
        match self {
            Self::Awaited(stopped) => stopped.as_mut().poll(cx).is_ready(),
            Self::Unasked(_) => false,
        }
    }
}

impl Watched {
    /// Ends the body: gRPC says why in its trailers, HTTP has no more to say.
    fn end(&mut self) -> Option<Frame<Bytes>> {
        self.cut = true;
        let mut trailers = HeaderMap::new();
        if self.call.face == Face::Grpc {
            // Fails only for messages that are no header, which ours is.
            let _ = Status::from(ServeError::Draining).add_header(&mut trailers);
            return Some(self.note(Frame::trailers(trailers)));
        }
        None
    }

    fn note(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        if let Some(code) = frame.trailers_ref().and_then(face::grpc_code) {
            self.call.code = code;
        }
        frame
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.cut {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map(|frame| this.note(frame)))),
            Poll::Pending if this.stop.is_over(cx) => Poll::Ready(this.end().map(Ok)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
