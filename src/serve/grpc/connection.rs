//! One connection: what has arrived is answered in one go, and written in one go.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::Request;
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::keepalive::Keepalive;
use super::lean::{Lean, LeanCall};
use super::passage;
use crate::serve::config::Config;

/// A call's head and body, and where its answer goes.
pub(super) type Accepted = (Request<RecvStream>, SendResponse<Bytes>);

/// Bytes that a client may send ahead on one call, and on all calls of a connection.
const WINDOW: u32 = 1 << 20;

/// Bytes of a call's headers, as hyper has it.
const MAX_HEADERS: u32 = 16 << 10;

/// What is behind the gRPC port.
pub(in crate::serve) struct GrpcDoor {
    lean: Arc<Lean>,
    /// What the lean handler leaves.
    rest: Router,
    http2: Builder,
}

impl GrpcDoor {
    pub(super) fn new(lean: Lean, rest: Router, config: &Config) -> Self {
        let mut http2 = Builder::new();
        http2
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_header_list_size(MAX_HEADERS)
            .max_concurrent_streams(config.max_streams.get());
        Self { lean: Arc::new(lean), rest, http2 }
    }

    /// Serves one connection until either side ends it. When the server drains, calls in work are still answered.
    pub(in crate::serve) async fn converse(
        &self,
        io: impl AsyncRead + AsyncWrite + Unpin,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<(), h2::Error> {
        let greeted = tokio::time::timeout(patience, self.http2.handshake(io));
        let Some(Ok(http2)) = stop.run_until_cancelled(greeted).await else { return Ok(()) };
        let mut http2 = http2?;
        let keepalive = Keepalive::new(http2.ping_pong());
        let mut conversation = Conversation { door: self, http2, calls: Vec::new(), keepalive };
        let spoken = std::future::poll_fn(|cx| conversation.poll(cx));
        if let Some(ended) = stop.run_until_cancelled(spoken).await {
            return ended;
        }
        conversation.http2.graceful_shutdown();
        std::future::poll_fn(|cx| conversation.poll(cx)).await
    }
}

struct Conversation<'d, I> {
    door: &'d GrpcDoor,
    http2: Connection<I, Bytes>,
    /// Lean calls whose bodies are not whole yet, or whose answers wait for room.
    calls: Vec<LeanCall>,
    keepalive: Keepalive,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Conversation<'_, I> {
    /// Reads what has come before it answers any of it, and answers all of it before anything is written: with many
    /// calls under way, one system call serves them all.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        loop {
            while let Poll::Ready(accepted) = self.http2.poll_accept(cx) {
                match accepted.transpose()? {
                    Some((request, respond)) => self.begin(request, respond),
                    None => return Poll::Ready(Ok(())),
                }
            }
            let before = self.calls.len();
            self.calls.retain_mut(|call| call.poll(cx).is_pending());
            if self.calls.len() == before {
                return if self.keepalive.is_lost(cx) { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        match self.door.lean.take(request, respond) {
            Ok(call) => self.calls.push(call),
            Err(left) => drop(tokio::spawn(passage::pass(*left, self.door.rest.clone()))),
        }
    }
}
