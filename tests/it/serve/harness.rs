//! A server on free ports, over a store in a temporary directory.

use std::net::SocketAddr;

use segue::experiment::{Declared, Experiments, ExposureWriter, Exposures, ExposuresConfig};
use segue::ids::{ClusterId, VersionId};
use segue::proto::admin_service_client::AdminServiceClient;
use segue::proto::lookup_service_client::LookupServiceClient;
use segue::proto::{LookupRequest, LookupResponse};
use segue::serve::{Backend, Config, Drained, LiveExperiments, Metrics, RefreshControl, bind, run};
use segue::store::live::Watcher;
use segue::store::{Draft, Explanation, Note, Provenance, Store, Successor, TaxonomyChange};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, TableBuilder};
use segue::taxonomy::Taxonomy;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

/// The clusters of every table here, the most popular first.
pub(crate) const POPULAR: [u32; 6] = [3, 0, 10, 7, 25, 8];

pub(crate) const WIDTH: u32 = 4;

pub(crate) struct Served {
    pub store: Store,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub admin: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Drained>,
    _watcher: Watcher,
    _writer: ExposureWriter,
    _dir: TempDir,
}

/// A server with version 1 live on `main`, whose answer to `3, 0` begins with 25.
pub(crate) async fn start() -> Served {
    start_with(Config::default(), None, true).await
}

/// A server with ports and store of its own, otherwise as told.
pub(crate) async fn start_with(config: Config, refresh: Option<RefreshControl>, published: bool) -> Served {
    start_all(config, refresh, Experiments::default(), published).await
}

/// A server with version 1 live on `main` that runs experiments.
pub(crate) async fn start_experiments(experiments: Experiments) -> Served {
    start_all(Config::default(), None, experiments, true).await
}

async fn start_all(
    config: Config,
    refresh: Option<RefreshControl>,
    experiments: Experiments,
    published: bool,
) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store").display().to_string();
    let store = Store::open(&segue::store::Config { path, ..Default::default() }).unwrap();
    if published {
        publish(&store, add(&store, 25));
    }
    let (watcher, live) = Watcher::start(store.clone(), config.live()).unwrap();
    let mut ready = watcher.ready();
    let free = "127.0.0.1:0".parse().unwrap();
    let listeners = bind(&Config { http_addr: free, grpc_addr: free, admin_addr: free, ..config }).await.unwrap();
    let (http, grpc, admin) = (listeners.http_addr(), listeners.grpc_addr(), listeners.admin_addr());
    let (metrics, declared) = (Metrics::default(), Declared::new(experiments, store.clone()));
    let (exposures, writer) = Exposures::new(&ExposuresConfig::default()).unwrap();
    let backend = Backend {
        live,
        ready: watcher.ready(),
        reloader: watcher.reloader(),
        store: store.clone(),
        refresh,
        experiments: LiveExperiments::start(declared, exposures, metrics.clone()),
        metrics,
    };
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(async move { run(listeners, backend, async { drop(stopped.await) }).await.unwrap() });
    if published {
        ready.wait_for(|ready| *ready).await.unwrap();
    }
    Served { store, http, grpc, admin, stop, ended, _watcher: watcher, _writer: writer, _dir: dir }
}

/// Adds a table whose answer to `3, 0` begins with `next`.
pub(crate) fn add(store: &Store, next: u32) -> VersionId {
    add_of(store, next, &taxonomy())
}

pub(crate) fn add_of(store: &Store, next: u32, taxonomy: &Taxonomy) -> VersionId {
    approved(store, add_draft(store, draft(store, next, taxonomy)))
}

pub(crate) fn add_unjudged(store: &Store, next: u32) -> VersionId {
    add_draft(store, draft(store, next, &taxonomy()))
}

/// Adds a table that answers 8 to `3, 0`, and says why.
pub(crate) fn add_explained(store: &Store) -> VersionId {
    let draft = draft(store, 8, &taxonomy());
    let mut explain = draft.explain(2).unwrap();
    let row = vec![Candidate { cluster: ClusterId(8), score: Score::ONE, source: Source::Llm }];
    let (key, successors) = (vec![ClusterId(3), ClusterId(0)], vec![Successor { cluster: ClusterId(8), count: 3 }]);
    let prompt = Some("What comes next?".into());
    explain.push(Explanation { key, seen: 4, successors, prompt, row, ..Explanation::default() }).unwrap();
    explain.finish().unwrap();
    approved(store, add_draft(store, draft))
}

fn taxonomy() -> Taxonomy {
    Taxonomy::new(POPULAR.map(|id| (ClusterId(id), format!("interest {id}")))).unwrap()
}

fn draft(store: &Store, next: u32, taxonomy: &Taxonomy) -> Draft {
    let candidate = |id, source, part| Candidate { cluster: ClusterId(id), score: Score::share(part, 4), source };
    let mut draft = store.draft().unwrap();
    let shape = Shape { k: 2, width: WIDTH as usize };
    let mut builder = TableBuilder::new(draft.table(), taxonomy, shape, BuildLimits::default()).unwrap();
    let row = [candidate(next, Source::Llm, 4), candidate(10, Source::Retrieved, 1)];
    builder.push(&[ClusterId(3), ClusterId(0)], &row).unwrap();
    builder.push(&[ClusterId(0)], &[candidate(7, Source::Retrieved, 2)]).unwrap();
    let popular: Vec<_> = POPULAR.iter().map(|&id| candidate(id, Source::Popular, 1)).collect();
    builder.finish(&Lineage::default(), &popular).unwrap();
    draft
}

fn add_draft(store: &Store, draft: Draft) -> VersionId {
    let provenance = Provenance { creator: "test".into(), reason: "25 follows".into(), parent: None, changed: None };
    store.add(draft, provenance).unwrap().version
}

fn approved(store: &Store, version: VersionId) -> VersionId {
    store.approve(version, &Note { who: "test".into(), why: "needed".into() }).unwrap();
    version
}

pub(crate) fn publish(store: &Store, version: VersionId) {
    publish_on(store, "main", version);
}

pub(crate) fn publish_on(store: &Store, channel: &str, version: VersionId) {
    let note = Note { who: "test".into(), why: "needed".into() };
    store.publish(channel, version, &note, TaxonomyChange::Allowed).unwrap();
}

pub(crate) fn lookup(history: &[u32], limit: u32) -> LookupRequest {
    LookupRequest { history: history.to_vec(), limit, ..Default::default() }
}

/// The clusters of an answer.
pub(crate) fn clusters(response: &LookupResponse) -> Vec<u32> {
    response.predictions.iter().map(|prediction| prediction.cluster).collect()
}

/// A gRPC connection.
pub(crate) async fn connect(addr: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap()
}

impl Served {
    pub(crate) async fn lookups(&self) -> LookupServiceClient<Channel> {
        LookupServiceClient::new(connect(self.grpc).await)
    }

    pub(crate) async fn operations(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(connect(self.admin).await)
    }

    pub(crate) async fn metrics(&self) -> String {
        get(self.http, "/metrics").await.text
    }

    /// Waits until the metrics show `line`; calls are counted a moment after their clients have the answer.
    pub(crate) async fn counted(&self, line: &str) {
        for _ in 0..100 {
            if self.metrics().await.lines().any(|shown| shown == line) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("`{line}` is not in\n{}", self.metrics().await);
    }

    /// Asks for a shutdown; the handle tells how the drain ended.
    pub(crate) fn stop(self) -> JoinHandle<Drained> {
        self.stop.send(()).unwrap();
        let (watcher, dir, ended) = (self._watcher, self._dir, self.ended);
        tokio::spawn(async move {
            let drained = ended.await.unwrap();
            drop((watcher, dir));
            drained
        })
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> Answer {
    send("GET", addr, path, &[], "").await
}

/// Posts JSON.
pub(crate) async fn post(addr: SocketAddr, path: &str, body: impl ToString) -> Answer {
    send("POST", addr, path, &[("content-type", "application/json")], &body.to_string()).await
}

pub(crate) async fn send(method: &str, addr: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{addr}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).unwrap();
    let asked = move || {
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        let response = if request.method() == "GET" { agent.run(request.map(|_| ())) } else { agent.run(request) };
        let mut response = response.unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), text }
    };
    tokio::task::spawn_blocking(asked).await.unwrap()
}
