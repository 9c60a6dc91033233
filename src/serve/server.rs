//! Putting it together: ports, routers, health, and the drain.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::error::StartError;
use super::experiments::LiveExperiments;
use super::face::Face;
use super::health::{self, Readiness};
use super::layers::{Limits, guarded, observed};
use super::listen::Listeners;
use super::lookups::Lookups;
use super::metrics::Metrics;
use super::observe::Observer;
use super::port::{Door, OpenConnections, Port};
use super::refresh::RefreshControl;
use super::workers::Workers;
use super::{grpc, http};
use crate::store::Store;
use crate::store::live::{Live, Reloader};

/// What a server answers from.
pub struct Backend {
    /// The live tables.
    pub live: Live,
    /// Turns true with the first good table.
    pub ready: watch::Receiver<bool>,
    /// Makes the live side look at the store.
    pub reloader: Reloader,
    /// The store that operations change.
    pub store: Store,
    /// The refresher, where this server runs one.
    pub refresh: Option<RefreshControl>,
    /// Which units are answered from which channels.
    pub experiments: LiveExperiments,
    /// Where calls are counted, and what `/metrics` shows.
    pub metrics: Metrics,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open at the end of `serve.drain`, and were cut.
    pub cut: usize,
}

/// Serves until `shutdown`, then drains: readiness goes off, the ports close, calls in work are answered, streams are
/// ended, and what is still open after `serve.drain` is cut.
pub async fn run(
    listeners: Listeners,
    backend: Backend,
    shutdown: impl Future<Output = ()>,
) -> Result<Drained, StartError> {
    let (ready, metrics, experiments) = (backend.ready.clone(), backend.metrics.clone(), backend.experiments.clone());
    let stop = CancellationToken::new();
    let (reporter, health) = health::service().await;
    let (drain, poll) = (listeners.config.drain, listeners.config.poll);
    let mut open = Vec::new();
    let mut serving = JoinSet::new();
    for port in ports(listeners, backend, health, &stop)? {
        open.push(port.connections());
        serving.spawn(port.serve(stop.clone()));
    }
    tokio::select! {
        () = shutdown => {}
        _ = async { tokio::join!(metrics.upkeep(), health::follow(&reporter, ready), experiments.follow(poll)) } => {}
    }
    health::close(&reporter).await;
    stop.cancel();
    let drained = tokio::time::timeout(drain, async { while serving.join_next().await.is_some() {} }).await;
    let cut = if drained.is_ok() { 0 } else { open.iter().map(OpenConnections::count).sum() };
    Ok(Drained { cut })
}

/// The ports, each with its router behind its layers.
fn ports(
    listeners: Listeners,
    backend: Backend,
    health: grpc::HealthService,
    stop: &CancellationToken,
) -> Result<Vec<Port>, StartError> {
    let Listeners { config, guard, http, grpc, grpc_socket, admin, .. } = listeners;
    let workers = Arc::new(Workers::start(config.worker_count()).map_err(StartError::Workers)?);
    let (guard, limits) = (Arc::new(guard), Limits::new(&config));
    let observer =
        |face, paths: Vec<String>| Observer::new(face, paths, &backend.metrics, config.max_message, stop.clone());
    let lookups =
        Arc::new(Lookups::new(backend.live.clone(), backend.experiments.clone(), &config, backend.metrics.clone()));
    let readiness = Readiness::new(backend.ready.clone(), stop.clone());
    let operations = Arc::new(Admin::new(&backend, &config));

    let face = http::Http::new(Arc::clone(&lookups), readiness, backend.metrics.clone(), config.max_message);
    let on_http = observed(http::router(face, &limits), Face::Http, observer(Face::Http, http::paths()));
    let observed_grpc = observer(Face::Grpc, grpc::paths()?);
    let on_grpc = grpc::lookup_door(lookups, health.clone(), observed_grpc, &config, &limits)?;

    let as_json = guarded(http::admin_router(Arc::clone(&operations), &config), Face::Http, Arc::clone(&guard));
    let as_json = observed(as_json, Face::Http, observer(Face::Http, http::admin_paths()));
    let as_grpc = guarded(grpc::admin_router(operations, health, &config)?, Face::Grpc, guard);
    let as_grpc = observed(as_grpc, Face::Grpc, observer(Face::Grpc, grpc::paths()?));
    let (on_http, on_grpc) = (Door::http(on_http, &config), Door::Grpc(Arc::new(on_grpc)));
    let on_admin = Door::http(as_json.merge(as_grpc), &config);
    let answering = |listener, door| Port::new(listener, door, Some(Arc::clone(&workers)), &config);
    let sockets = grpc_socket.map(|socket| answering(socket, on_grpc.clone()));
    let ports = [answering(http, on_http), answering(grpc, on_grpc), Port::new(admin, on_admin, None, &config)];
    Ok(ports.into_iter().chain(sockets).collect())
}
