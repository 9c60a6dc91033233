//! Connections: one accept loop for every port.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::greeting::Greeting;
use super::grpc::{GrpcDoor, keepalive};
use super::listen::{Accepted, Listener, Stream};
use super::workers::Workers;

/// How long a connection may say nothing before its next request's head: longer than load balancers keep theirs idle.
const SILENCE: Duration = Duration::from_secs(75);

/// How long accepting rests when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Counts the connections of a port.
pub(super) struct OpenConnections {
    room: Arc<Semaphore>,
    most: usize,
}

impl OpenConnections {
    pub(super) fn count(&self) -> usize {
        self.most - self.room.available_permits()
    }
}

/// What is behind a port.
#[derive(Clone)]
pub(super) enum Door {
    Grpc(Arc<GrpcDoor>),
    /// HTTP/1.1 and HTTP/2.
    Http(Arc<Builder<TokioExecutor>>, Router),
}

impl Door {
    pub(super) fn http(router: Router, config: &Config) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(SILENCE);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(keepalive::EVERY)
            .keep_alive_timeout(keepalive::PATIENCE)
            .max_concurrent_streams(config.max_streams.get());
        Self::Http(Arc::new(builder), router)
    }

    async fn converse(self, stream: Stream, stop: &CancellationToken) {
        let ended = match (self, stream) {
            (Self::Grpc(door), Stream::Tcp(io)) => grpc(&door, io, stop).await,
            (Self::Grpc(door), Stream::Unix(io)) => grpc(&door, io, stop).await,
            (Self::Http(builder, router), Stream::Tcp(io)) => http(&builder, router, io, stop).await,
            (Self::Http(builder, router), Stream::Unix(io)) => http(&builder, router, io, stop).await,
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection broke");
        }
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn grpc(door: &GrpcDoor, io: impl AsyncRead + AsyncWrite + Unpin, stop: &CancellationToken) -> Ended {
    Ok(door.converse(io, SILENCE, stop).await?)
}

/// Serves one connection until either side ends it. When the server drains, calls in work are still answered.
async fn http(
    builder: &Builder<TokioExecutor>,
    router: Router,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    stop: &CancellationToken,
) -> Ended {
    let io = TokioIo::new(Greeting::new(io, SILENCE));
    let mut connection = pin!(builder.serve_connection(io, TowerToHyperService::new(router)));
    if let Some(ended) = stop.run_until_cancelled(connection.as_mut()).await {
        return ended;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// A port with what it answers.
pub(super) struct Port {
    listener: Listener,
    door: Door,
    /// Who answers; the accepting runtime itself where there are none.
    workers: Option<Arc<Workers>>,
    /// One permit a connection.
    room: Arc<Semaphore>,
}

impl Port {
    pub(super) fn new(listener: Listener, door: Door, workers: Option<Arc<Workers>>, config: &Config) -> Self {
        let room = config.max_connections.get().min(Semaphore::MAX_PERMITS);
        Self { listener, door, workers, room: Arc::new(Semaphore::new(room)) }
    }

    /// Those open now; while accepting, the one waited for counts too.
    pub(super) fn connections(&self) -> OpenConnections {
        OpenConnections { room: Arc::clone(&self.room), most: self.room.available_permits() }
    }

    /// Accepts until `stop`, then closes the port and ends when its last connection has. Dropping it cuts them.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        while let Some((accepted, room)) = stop.run_until_cancelled(self.next()).await {
            while connections.try_join_next().is_some() {}
            let (door, stop) = (self.door.clone(), stop.clone());
            let (runtime, seat) = self.workers.as_ref().map(|workers| workers.seat()).unzip();
            let converse = async move {
                let _held = (room, seat);
                // It fails only where the connection has gone again.
                if let Ok(stream) = accepted.register() {
                    door.converse(stream, &stop).await;
                }
            };
            match runtime {
                Some(runtime) => connections.spawn_on(converse, &runtime),
                None => connections.spawn(converse),
            };
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    async fn next(&self) -> (Accepted, OwnedSemaphorePermit) {
        loop {
            let room = Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok(accepted) => return (accepted, room),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
}
