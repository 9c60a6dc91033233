//! One call, from its head to its answer.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;
use tonic::{Code, Status};

use super::Lean;
use super::decode::Questions;
use super::encode::Message;
use super::incoming::Incoming;
use crate::serve::deadline;
use crate::serve::error::ServeError;
use crate::serve::face::Face;
use crate::serve::layers::report_panic;
use crate::serve::observe::Call;

thread_local! {
    static QUESTIONS: Cell<Questions> = Cell::default();
}

/// Which call it is.
#[derive(Clone, Copy)]
pub(super) enum Method {
    One,
    Batch,
}

/// A call in work. Dropped before it is over, it counts as given up.
pub(in crate::serve::grpc) struct LeanCall {
    lean: Arc<Lean>,
    method: Method,
    body: RecvStream,
    incoming: Incoming,
    respond: SendResponse<Bytes>,
    observed: Call,
    /// Room among the calls in work; a call that begins without is refused.
    room: Option<OwnedSemaphorePermit>,
    within: Duration,
    /// Armed by the first wait: most bodies are there with their heads.
    deadline: Option<Pin<Box<Sleep>>>,
    /// An answer that waits for room.
    answer: Option<(SendStream<Bytes>, Bytes)>,
}

impl LeanCall {
    pub(super) fn new(
        lean: &Arc<Lean>,
        method: Method,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) -> Self {
        Self {
            method,
            observed: Call::begin(Face::Grpc, Arc::clone(&lean.series[method as usize])),
            room: lean.limits.room(),
            within: deadline::of(request.headers(), lean.limits.timeout()),
            lean: Arc::clone(lean),
            body: request.into_body(),
            incoming: Incoming::default(),
            respond,
            deadline: None,
            answer: None,
        }
    }

    /// Answers once the whole body is there, and is over once the caller has made room for all of the answer; one that
    /// does not in time is given up, and what waits for it with it.
    pub(in crate::serve::grpc) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.answer.is_none() {
            let gathered = match self.room {
                Some(_) => self.gather(cx),
                None => Poll::Ready(Some(Err(ServeError::Busy.into()))),
            };
            let gathered = match gathered {
                Poll::Ready(Some(gathered)) => gathered,
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending if self.is_late(cx) => Err(ServeError::Timeout { after: self.within }.into()),
                Poll::Pending => return Poll::Pending,
            };
            match gathered.and_then(|()| self.ask()) {
                Ok(frame) => self.begin_answer(frame.into()),
                Err(status) => self.refuse(&status),
            }
        }
        match self.send(cx) {
            Poll::Pending if self.is_late(cx) => {
                self.give_up();
                Poll::Ready(())
            }
            sent => sent,
        }
    }

    /// Whether the body can be read; `None` where the caller has gone, and nobody waits for an answer.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), Status>>> {
        loop {
            match self.body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Some(Ok(()))),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(None),
                Poll::Ready(Some(Ok(data))) => {
                    // It fails only where the caller has gone, and then so does the next poll.
                    let _ = self.body.flow_control().release_capacity(data.len());
                    if let Err(status) = self.incoming.push(data, self.lean.max_message) {
                        return Poll::Ready(Some(Err(status)));
                    }
                }
            }
        }
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.within)));
        deadline.as_mut().poll(cx).is_ready()
    }

    /// The answer's frame. A panic costs this call, not the connection.
    fn ask(&self) -> Result<Vec<u8>, Status> {
        let answered = catch_unwind(AssertUnwindSafe(|| {
            // A panic leaves a fresh one behind, never a half-read one.
            let mut questions = QUESTIONS.take();
            let answered = self.ask_of(&mut questions);
            QUESTIONS.set(questions);
            answered
        }));
        answered.unwrap_or_else(|panic| {
            report_panic(&*panic);
            Err(ServeError::Panicked.into())
        })
    }

    fn ask_of(&self, questions: &mut Questions) -> Result<Vec<u8>, Status> {
        let mut message = &[][..];
        for next in self.incoming.messages()? {
            let read = match self.method {
                Method::One => questions.read_one(next),
                Method::Batch => questions.read_batch(next),
            };
            read.map_err(|error| Status::internal(error.to_string()))?;
            message = next;
        }
        let questions = questions.iter(message);
        let mut answers = Message::with_room(ROOM * questions.len());
        match self.method {
            Method::One => {
                for one in questions {
                    self.lean.lookups.one(one, |reply| answers.put_answer(&reply))?;
                }
            }
            Method::Batch => {
                self.lean.lookups.batch(questions, |reply| answers.put_result(&reply))?;
            }
        }
        Ok(answers.into_frame())
    }

    fn begin_answer(&mut self, frame: Bytes) {
        // What is left is the caller's to do: one that reads slowly takes nobody's place.
        self.room = None;
        let mut head = Response::new(());
        head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        // It fails only where the caller has gone.
        if let Ok(mut stream) = self.respond.send_response(head, false) {
            stream.reserve_capacity(frame.len());
            self.observed.answers();
            self.answer = Some((stream, frame));
        }
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((stream, frame)) = &mut self.answer else { return Poll::Ready(()) };
        while stream.capacity() < frame.len() {
            if stream.capacity() > 0 {
                let piece = frame.split_to(stream.capacity());
                if stream.send_data(piece, false).is_err() {
                    return Poll::Ready(());
                }
                stream.reserve_capacity(frame.len());
                continue;
            }
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        let sent = stream.send_data(std::mem::take(frame), false).and_then(|()| stream.send_trailers(trailers));
        if sent.is_ok() {
            self.observed.answered(Code::Ok);
        }
        Poll::Ready(())
    }

    /// Too late for trailers: they would wait behind the data.
    fn give_up(&mut self) {
        self.observed.answered(Code::DeadlineExceeded);
        if let Some((mut stream, _)) = self.answer.take() {
            stream.send_reset(Reason::CANCEL);
        }
    }

    /// An answer of trailers only.
    fn refuse(&mut self, status: &Status) {
        self.observed.refused(status);
        // It fails only where the caller has gone.
        let _ = self.respond.send_response(status.clone().into_http(), true);
    }
}

/// Bytes that most answers need at most.
const ROOM: usize = 64;
