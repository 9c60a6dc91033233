//! What a user would write in an hour: a plain tonic service with the contract's generated code, which knows one
//! answer. With layers it also has what production asks for: limits, a timeout, a counter and a histogram.

use std::future::Future;
use std::io::Write;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use segue::proto::lookup_service_server::{LookupService, LookupServiceServer};
use segue::proto::{BatchLookupRequest, BatchLookupResponse, LookupRequest, LookupResponse};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tower::util::MapFutureLayer;

use crate::Outcome;
use crate::world::World;

/// As this server's defaults.
const MAX_STREAMS: u32 = 256;
const MAX_CONCURRENCY: usize = 1024;
const TIMEOUT: Duration = Duration::from_secs(1);
const BUCKETS: [f64; 10] = [1e-5, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 0.01, 0.1, 1.0, 10.0];

/// Serves until killed; prints where.
pub(super) fn serve(layered: bool, args: &[String]) -> Outcome<()> {
    let [clusters, limit] = args else { return Err("clusters and a limit are expected".into()) };
    let world = World { clusters: clusters.parse()?, limit: limit.parse()? };
    let service = LookupServiceServer::new(Constant(world.answer(world.any_pair())));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into())?.with_nodelay(Some(true));
        println!("{}", incoming.local_addr()?);
        std::io::stdout().flush()?;
        let mut server = Server::builder().max_concurrent_streams(MAX_STREAMS);
        if !layered {
            return Ok(server.add_service(service).serve_with_incoming(incoming).await?);
        }
        tokio::spawn(upkeep(record()?));
        let server = server.load_shed(true).concurrency_limit_per_connection(MAX_CONCURRENCY).timeout(TIMEOUT);
        let mut server = server.layer(MapFutureLayer::new(counted));
        Ok(server.add_service(service).serve_with_incoming(incoming).await?)
    })
}

fn record() -> Outcome<PrometheusHandle> {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| "there is a recorder already")?;
    Ok(handle)
}

/// Folds what was observed into the buckets, as an exporter does.
async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

/// Resolved once, as a service that minds its time does.
static CALLS: LazyLock<(Counter, Histogram)> =
    LazyLock::new(|| (metrics::counter!("calls_total"), metrics::histogram!("call_seconds")));

fn counted<F: Future>(call: F) -> impl Future<Output = F::Output> {
    let began = Instant::now();
    async move {
        let answer = call.await;
        CALLS.0.increment(1);
        CALLS.1.record(began.elapsed());
        answer
    }
}

struct Constant(LookupResponse);

#[tonic::async_trait]
impl LookupService for Constant {
    async fn lookup(&self, _: Request<LookupRequest>) -> Result<Response<LookupResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn batch_lookup(
        &self,
        request: Request<BatchLookupRequest>,
    ) -> Result<Response<BatchLookupResponse>, Status> {
        let results = request.get_ref().lookups.iter().map(|_| self.0.clone()).collect();
        Ok(Response::new(BatchLookupResponse { results }))
    }

    type StreamLookupStream = Pin<Box<dyn Stream<Item = Result<LookupResponse, Status>> + Send>>;

    async fn stream_lookup(
        &self,
        request: Request<Streaming<LookupRequest>>,
    ) -> Result<Response<Self::StreamLookupStream>, Status> {
        let answer = self.0.clone();
        let answers = request.into_inner().map(move |asked| asked.map(|_| answer.clone()));
        Ok(Response::new(Box::pin(answers)))
    }
}
