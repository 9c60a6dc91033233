//! Whether callers should come here: a latch that the first good table releases and the drain closes.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::error::ServeError;
use super::grpc::{AdminFace, LookupFace};
use crate::proto::admin_service_server::AdminServiceServer;
use crate::proto::lookup_service_server::LookupServiceServer;

/// What lookups depend on: the whole server (the empty name) and the service itself.
const LOOKUPS: [&str; 2] = ["", LookupServiceServer::<LookupFace>::NAME];

const ADMIN: &str = AdminServiceServer::<AdminFace>::NAME;

/// What `/readyz` and `grpc.health.v1` both tell.
#[derive(Clone)]
pub(super) struct Readiness {
    live: watch::Receiver<bool>,
    stop: CancellationToken,
}

impl Readiness {
    pub(super) fn new(live: watch::Receiver<bool>, stop: CancellationToken) -> Self {
        Self { live, stop }
    }

    /// An error says why callers should go elsewhere.
    pub(super) fn check(&self) -> Result<(), ServeError> {
        match *self.live.borrow() {
            _ if self.stop.is_cancelled() => Err(ServeError::Draining),
            true => Ok(()),
            false => Err(ServeError::NoTable),
        }
    }
}

/// The reporter, and a health service that starts with lookups not serving.
pub(super) async fn service() -> (HealthReporter, HealthServer<HealthService>) {
    let reporter = HealthReporter::new();
    let service = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    report(&reporter, ServingStatus::NotServing).await;
    // Operations work without a table: they are what brings one.
    reporter.set_service_status(ADMIN, ServingStatus::Serving).await;
    (reporter, service)
}

/// Reports lookups as serving once the first table is live.
pub(super) async fn follow(reporter: &HealthReporter, mut live: watch::Receiver<bool>) {
    if live.wait_for(|live| *live).await.is_ok() {
        report(reporter, ServingStatus::Serving).await;
        tracing::info!("ready: the first table is live");
    }
}

/// Reports that nothing is served any more.
pub(super) async fn close(reporter: &HealthReporter) {
    report(reporter, ServingStatus::NotServing).await;
    reporter.set_service_status(ADMIN, ServingStatus::NotServing).await;
}

async fn report(reporter: &HealthReporter, status: ServingStatus) {
    for name in LOOKUPS {
        reporter.set_service_status(name, status).await;
    }
}
