//! Sockets and connections: one accept loop for every port.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::auth::Guard;
use super::config::Config;
use super::error::StartError;

/// How long a connection may say nothing before its next request's head: longer than load balancers keep theirs idle.
const SILENCE: Duration = Duration::from_secs(75);

/// How often an HTTP/2 peer is asked whether it is still there, and how long it has to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// How long accepting rests when the system has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The bound ports of one server, which nothing is accepted from yet.
pub struct Listeners {
    pub(super) config: Config,
    pub(super) guard: Guard,
    pub(super) http: Listener,
    pub(super) grpc: Listener,
    pub(super) admin: Listener,
}

/// A bound port.
pub(super) struct Listener {
    tcp: TcpListener,
    addr: SocketAddr,
}

/// Checks the config, reads the admin token and binds the three ports. Port 0 takes a free one.
pub async fn bind(config: &Config) -> Result<Listeners, StartError> {
    config.check()?;
    Ok(Listeners {
        guard: Guard::new(config)?,
        http: Listener::bind("http_addr", config.http_addr).await?,
        grpc: Listener::bind("grpc_addr", config.grpc_addr).await?,
        admin: Listener::bind("admin_addr", config.admin_addr).await?,
        config: config.clone(),
    })
}

impl Listeners {
    /// Where lookups as JSON, health and metrics are served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http.addr
    }

    /// Where lookups as gRPC are served.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.addr
    }

    /// Where operations are served.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.addr
    }
}

impl Listener {
    async fn bind(field: &'static str, addr: SocketAddr) -> Result<Self, StartError> {
        let refused = |source| StartError::Bind { field, addr, source };
        let tcp = TcpListener::bind(addr).await.map_err(refused)?;
        let addr = tcp.local_addr().map_err(refused)?;
        Ok(Self { tcp, addr })
    }
}

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

/// A port with what it answers.
pub(super) struct Port {
    listener: Listener,
    router: Router,
    builder: Builder<TokioExecutor>,
    /// One permit a connection.
    room: Arc<Semaphore>,
}

impl Port {
    pub(super) fn new(listener: Listener, router: Router, config: &Config) -> Self {
        let room = config.max_connections.get().min(Semaphore::MAX_PERMITS);
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(SILENCE);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .max_concurrent_streams(config.max_streams.get());
        Self { listener, router, builder, room: Arc::new(Semaphore::new(room)) }
    }

    /// Those open now; while accepting, the one waited for counts too.
    pub(super) fn connections(&self) -> OpenConnections {
        OpenConnections { room: Arc::clone(&self.room), most: self.room.available_permits() }
    }

    /// Accepts until `stop`, then closes the port and ends when its last connection has. Dropping it cuts them.
    pub(super) async fn serve(self, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        while let Some((stream, room)) = stop.run_until_cancelled(self.next()).await {
            while connections.try_join_next().is_some() {}
            let (builder, router, stop) = (self.builder.clone(), self.router.clone(), stop.clone());
            connections.spawn(async move {
                converse(stream, &builder, router, &stop).await;
                drop(room);
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    async fn next(&self) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let room = Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed");
            match self.listener.tcp.accept().await {
                Ok((stream, _)) => return (stream, room),
                Err(error) => {
                    tracing::warn!(%error, addr = %self.listener.addr, "a connection could not be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
}

/// Serves one connection until either side ends it. When the server drains, calls in work are still answered.
async fn converse(stream: TcpStream, builder: &Builder<TokioExecutor>, router: Router, stop: &CancellationToken) {
    let mut first = [0];
    let spoken = tokio::time::timeout(SILENCE, stream.peek(&mut first));
    if !matches!(stop.run_until_cancelled(spoken).await, Some(Ok(Ok(_)))) {
        return;
    }
    // Answers are small: none should wait for a fuller packet.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = match stop.run_until_cancelled(connection.as_mut()).await {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection broke");
    }
}
