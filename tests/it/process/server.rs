//! A running `segue serve`, and what its clients see.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use segue::proto::admin_service_client::AdminServiceClient;
use segue::proto::lookup_service_client::LookupServiceClient;
use segue::proto::refresh_event::State;
use segue::proto::{LookupResponse, RefreshEvent, WatchRefreshRequest};
use serde_json::Value;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::harness::{Process, World, children, each_line};
use crate::serve::harness::{connect, get, lookup};

/// What is promised within a second, with room for a machine that is busy with other tests.
pub(super) const SOON: Duration = Duration::from_secs(3);

/// Far longer than anything here takes.
pub(super) const AT_LAST: Duration = Duration::from_secs(30);

pub(super) struct Server {
    pub process: Process,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    pub admin: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// `segue serve` with `args`, once it listens.
    pub(super) fn start(world: &World, args: &[&str]) -> Self {
        let args = [&["serve", "--json"], args].concat();
        let mut process = Process::start(world.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()));
        let log = Arc::new(Mutex::new(String::new()));
        let logged = Arc::clone(&log);
        each_line(process.0.stderr.take().unwrap(), move |line| *logged.lock().unwrap() += &(line + "\n"));
        let (lines, announced) = mpsc::channel();
        // Nobody listens for a second line: there is none.
        each_line(process.0.stdout.take().unwrap(), move |line| drop(lines.send(line)));
        let line = announced.recv_timeout(AT_LAST).unwrap_or_else(|_| panic!("{}", log.lock().unwrap()));
        let bound: Value = serde_json::from_str(&line).unwrap();
        let addr = |name: &str| bound[name].as_str().unwrap().parse().unwrap();
        Self { process, http: addr("http"), grpc: addr("grpc"), admin: addr("admin"), log }
    }

    /// Waits until it says so on stderr.
    pub(super) async fn says(&self, text: &str) {
        let began = Instant::now();
        while !self.log().contains(text) {
            assert!(began.elapsed() < SOON, "no `{text}` in {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it said on stderr so far.
    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(super) async fn lookups(&self) -> LookupServiceClient<Channel> {
        LookupServiceClient::new(connect(self.grpc).await)
    }

    pub(super) async fn operations(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(connect(self.admin).await)
    }

    pub(super) async fn ask(&self, history: &[u32], limit: u32) -> Result<LookupResponse, Status> {
        Ok(self.lookups().await.lookup(lookup(history, limit)).await?.into_inner())
    }

    /// The version that answers; 0 before the first.
    pub(super) async fn version(&self) -> u64 {
        self.ask(&[], 1).await.map_or(0, |answer| answer.version)
    }

    /// Waits until `version` answers; returns how long that took.
    pub(super) async fn serves(&self, version: u64) -> Duration {
        let began = Instant::now();
        until(AT_LAST, &format!("version {version}"), async || self.version().await == version).await;
        began.elapsed()
    }

    /// The metric's value; 0 where it is not shown.
    pub(super) async fn metric(&self, series: &str) -> f64 {
        let shown = get(self.http, "/metrics").await.text;
        let value = shown.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    pub(super) async fn watch(&self) -> Streaming<RefreshEvent> {
        self.operations().await.watch_refresh(WatchRefreshRequest {}).await.unwrap().into_inner()
    }

    /// The process ids of its children.
    pub(super) fn children(&self) -> Vec<u32> {
        children(self.process.pid())
    }

    /// The refresher's process id, once it has said that it waits or works.
    pub(super) async fn refresher(&self) -> u32 {
        until(AT_LAST, "one child", async || self.children().len() == 1).await;
        self.children()[0]
    }
}

/// Waits for an event with `state`; returns all that were seen, that one last.
pub(super) async fn events_until(events: &mut Streaming<RefreshEvent>, state: State) -> Vec<RefreshEvent> {
    let mut seen = Vec::new();
    let last = async {
        while let Some(event) = events.message().await.unwrap() {
            seen.push(event);
            if seen.last().is_some_and(|event| event.state() == state) {
                return;
            }
        }
    };
    let ended = tokio::time::timeout(AT_LAST, last).await;
    assert!(ended.is_ok(), "no {state:?} after {seen:#?}");
    seen
}

/// Waits until `check` holds.
#[track_caller]
pub(super) fn until(limit: Duration, what: &str, mut check: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let began = Instant::now();
    async move {
        while !check().await {
            assert!(began.elapsed() < limit, "no {what} after {limit:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
