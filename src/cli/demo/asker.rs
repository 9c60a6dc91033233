//! A caller that asks all the while, so that a swap that costs something is seen.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::proto::LookupRequest;
use crate::proto::lookup_service_client::LookupServiceClient;

/// The pause between two questions: a trickle, so that what is measured is the server and not the machine's limits.
const PAUSE: Duration = Duration::from_millis(2);

/// What became of the questions since they were last asked about.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) answered: usize,
    pub(super) failed: usize,
    /// Median time from question to answer, over gRPC.
    pub(super) p50: Duration,
    /// 99 of 100 were answered within.
    pub(super) p99: Duration,
}

/// Asks until it is dropped.
pub(super) struct Asker {
    told: Arc<Mutex<Told>>,
    asking: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Told {
    took: Vec<Duration>,
    failed: usize,
}

impl Asker {
    pub(super) fn start(addr: SocketAddr, clusters: u32) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let asking = tokio::spawn(ask(addr, clusters, Arc::clone(&told)));
        Self { told, asking }
    }

    pub(super) fn since_last(&self) -> Asked {
        let mut told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        told.took.sort_unstable();
        let at = |share: f64| told.took.get((told.took.len() as f64 * share) as usize).copied().unwrap_or_default();
        Asked { answered: told.took.len(), failed: told.failed, p50: at(0.5), p99: at(0.99) }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

async fn ask(addr: SocketAddr, clusters: u32, told: Arc<Mutex<Told>>) {
    let Ok(endpoint) = tonic::transport::Endpoint::from_shared(format!("http://{addr}")) else { return };
    let mut service = LookupServiceClient::new(endpoint.connect_lazy());
    for step in 0u32.. {
        // A walk through all pairs, each cluster beside each other one in turn.
        let (older, newer) = (1 + step % clusters, 1 + (step / clusters + step + 1) % clusters);
        let request = LookupRequest { history: vec![older, newer], limit: 5, ..LookupRequest::default() };
        let asked = Instant::now();
        let answer = service.lookup(request).await;
        told.lock().unwrap_or_else(PoisonError::into_inner).note(answer.is_ok(), asked.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
}

impl Told {
    fn note(&mut self, answered: bool, took: Duration) {
        if answered { self.took.push(took) } else { self.failed += 1 }
    }
}
