//! Who is talked to: our server, and tonic's own over the same table.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Duration;

use segue::ids::VersionId;
use segue::lookup::{ClusterSet, Query, Rules, Scratch, lookup};
use segue::proto::lookup_service_server::{LookupService, LookupServiceServer};
use segue::proto::{BatchLookupRequest, BatchLookupResponse, LookupRequest, LookupResponse, Prediction};
use segue::serve::Config;
use segue::store::Store;
use segue::table::{Source, Table};
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codegen::BoxStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::serve::harness::start_with;

/// One server, as a scenario sees it.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    /// Shuts it down; calls in work are still answered.
    pub(super) stop: Box<dyn FnOnce() + Send>,
}

/// Limits small enough to be met, and times long enough never to be, except where a scenario is about them.
pub(super) fn config() -> Config {
    let json = serde_json::json!({
        "timeout": "60s", "drain": "60s", "max_message": "256KiB", "max_streams": 100, "max_batch": 4096,
    });
    serde_json::from_value(json).unwrap()
}

/// Plays a scenario with both peers, which must both come to `expected`.
pub(super) async fn check<T: Debug + PartialEq>(scenario: impl AsyncFn(Peer) -> T, expected: T) {
    for peer in peers(config()).await {
        let name = peer.name;
        assert_eq!(scenario(peer).await, expected, "{name}");
    }
}

/// The same where our server may end otherwise than tonic's.
pub(super) async fn check_each<T: Debug + PartialEq>(scenario: impl AsyncFn(Peer) -> T, ours: T, tonics: T) {
    let [segue, tonic] = peers(config()).await;
    assert_eq!(scenario(segue).await, ours, "segue");
    assert_eq!(scenario(tonic).await, tonics, "tonic");
}

/// Ours, then tonic's.
pub(super) async fn peers(config: Config) -> [Peer; 2] {
    let served = start_with(config.clone(), None, true).await;
    let tonic = reference(&served.store, config).await;
    [Peer { name: "segue", addr: served.grpc, stop: Box::new(move || drop(served.stop())) }, tonic]
}

async fn reference(store: &Store, config: Config) -> Peer {
    let bytes = std::fs::read(store.table_path(VersionId(1))).unwrap();
    let service = Reference { table: Table::open(bytes).unwrap(), max_history: config.max_history.get() };
    let service = LookupServiceServer::new(service).max_decoding_message_size(config.max_message.0 as usize);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut server = Server::builder().timeout(config.timeout).max_concurrent_streams(config.max_streams.get());
    let server = server.add_service(service);
    tokio::spawn(server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
        // Whoever forgets to stop it leaves it to the runtime's end.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    }));
    Peer { name: "tonic", addr, stop: Box::new(move || stop.send(()).unwrap()) }
}

/// The generated service over a table in memory, with nothing around it.
struct Reference {
    table: Table<Vec<u8>>,
    max_history: usize,
}

impl Reference {
    fn answer(&self, request: &LookupRequest) -> Result<LookupResponse, Status> {
        if !matches!(request.channel.as_str(), "" | "main") {
            return Err(Status::not_found("no such channel"));
        }
        let rules = Rules { blocklist: &ClusterSet::default(), max_history: self.max_history };
        let query = Query { history: &request.history, limit: request.limit, exclude: &request.exclude };
        let mut scratch = Scratch::default();
        let answer = lookup(&self.table, rules, query, &mut scratch);
        let answer = answer.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let predictions = answer.predictions.iter().map(|prediction| Prediction {
            cluster: prediction.cluster.0,
            score: prediction.score.into(),
            source: match prediction.source {
                Source::Llm => 1,
                Source::Retrieved => 2,
                Source::Popular => 3,
            },
            level: prediction.level,
        });
        let predictions = predictions.collect();
        Ok(LookupResponse { predictions, version: 1, matched: answer.matched, ..Default::default() })
    }
}

#[tonic::async_trait]
impl LookupService for Reference {
    async fn lookup(&self, request: Request<LookupRequest>) -> Result<Response<LookupResponse>, Status> {
        Ok(Response::new(self.answer(request.get_ref())?))
    }

    async fn batch_lookup(
        &self,
        request: Request<BatchLookupRequest>,
    ) -> Result<Response<BatchLookupResponse>, Status> {
        let results = request.get_ref().lookups.iter().map(|request| self.answer(request)).collect::<Result<_, _>>()?;
        Ok(Response::new(BatchLookupResponse { results }))
    }

    type StreamLookupStream = BoxStream<LookupResponse>;

    async fn stream_lookup(
        &self,
        _: Request<Streaming<LookupRequest>>,
    ) -> Result<Response<Self::StreamLookupStream>, Status> {
        Err(Status::unimplemented("no scenario streams"))
    }
}

/// Long enough for anything that comes at all, on a machine that does much else.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
