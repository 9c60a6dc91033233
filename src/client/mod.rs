//! A small client of a running server: connections that are kept and shared, deadlines, retries, and questions in any
//! number.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/served.rs"));
//! use std::time::Duration;
//!
//! use segue::client::{Client, Config};
//! use segue::proto::LookupRequest;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let address = serve(store(dir.path())?).await?;
//! let target = "http://127.0.0.1:7071".to_owned(); // or unix:/run/segue.sock
//! # let target = format!("http://{address}");
//! let client = Client::new(&Config { target, ..Config::default() })?;
//!
//! let question = LookupRequest { history: vec![3, 0], limit: 2, ..Default::default() };
//! let answer = client.lookup(question.clone()).await?;
//! assert_eq!(answer.predictions[0].cluster, 25);
//!
//! // Any number of questions, sent in batches, answered in order, each batch within its deadline.
//! let answers = client.within(Duration::from_secs(5)).lookup_all(vec![question; 1000]).await?;
//! assert!(answers.iter().all(|answer| answer.predictions[0].cluster == 25));
//! # Ok(()) }
//! ```
//!
//! It knows nothing of tables: what may be asked is the server's to say.

mod config;
mod error;
mod parts;
mod retry;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tonic::transport::Endpoint;

use crate::proto::{BatchLookupRequest, LookupRequest, LookupResponse};
use parts::{Part, Parts};
use retry::Service;

pub use config::Config;
pub use error::Error;

/// How long a connection may take to come about. Calls have their own deadline and do not wait for it.
const CONNECTING: Duration = Duration::from_secs(5);

/// How often a busy connection is asked whether its server is still there, and how long it has to answer: a machine
/// that vanishes closes nothing.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// Asks one server. Clones share its connections, which are made when they are needed, and again when they broke.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    /// One a connection.
    services: Box<[Service]>,
    asked: AtomicUsize,
}

impl Client {
    /// Prepares a client; the server need not be there yet.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let endpoint = endpoint(&config.target)?;
        let services = (0..config.connections.get()).map(|_| {
            // How long an answer can be follows from the question, which is the caller's.
            Service::new(endpoint.connect_lazy()).max_decoding_message_size(usize::MAX)
        });
        let shared = Shared { config: config.clone(), services: services.collect(), asked: AtomicUsize::new(0) };
        Ok(Self { timeout: config.timeout, shared: Arc::new(shared) })
    }

    /// The same client with another time for each of its calls.
    pub fn within(&self, timeout: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), timeout }
    }

    /// Asks one question.
    pub async fn lookup(&self, question: LookupRequest) -> Result<LookupResponse, Error> {
        let send = |mut service: Service, request| async move { service.lookup(request).await };
        retry::call(&self.shared.config, self.timeout, || self.shared.service(), question, send).await
    }

    /// Asks any number of questions, in as few calls as the config allows; the answers are in the questions' order.
    ///
    /// As many calls are under way at once as there are connections, each with a deadline of its own, and each is
    /// answered wholly from one version; the whole need not be. The first failure ends it, and names its place:
    /// [`Error::InBatch`].
    pub async fn lookup_all(
        &self,
        questions: impl IntoIterator<Item = LookupRequest>,
    ) -> Result<Vec<LookupResponse>, Error> {
        let mut parts = Parts::new(questions.into_iter(), &self.shared.config);
        let mut answers = BTreeMap::new();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < self.shared.services.len()
                && let Some(part) = parts.next()
            {
                under_way.spawn(self.clone().lookup_part(part));
            }
            match under_way.join_next().await {
                Some(Ok(answered)) => answers.extend([answered?]),
                Some(Err(ended)) => resume_unwind(ended.into_panic()),
                None => return Ok(answers.into_values().flatten().collect()),
            }
        }
    }

    /// Asks one batch; tells its place too.
    async fn lookup_part(self, part: Part) -> Result<(usize, Vec<LookupResponse>), Error> {
        let Part { first, lookups } = part;
        let (questions, message) = (lookups.len(), BatchLookupRequest { lookups });
        let send = |mut service: Service, request| async move { service.batch_lookup(request).await };
        let answer = retry::call(&self.shared.config, self.timeout, || self.shared.service(), message, send).await;
        let answers = answer.and_then(|answer| match answer.results.len() {
            answers if answers == questions => Ok(answer.results),
            answers => Err(Error::Miscounted { questions, answers }),
        });
        Ok((first, answers.map_err(|error| error.in_batch(first, questions))?))
    }
}

impl Shared {
    /// The connections in turn.
    fn service(&self) -> Service {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        self.services[turn % self.services.len()].clone()
    }
}

fn endpoint(target: &str) -> Result<Endpoint, Error> {
    let wrong = |problem: &str| Error::Target { target: target.into(), problem: problem.into() };
    let endpoint = Endpoint::from_shared(target.to_owned()).map_err(|error| wrong(&error.to_string()))?;
    let (uri, socket) = (endpoint.uri(), target.strip_prefix("unix:"));
    match uri.scheme_str() {
        _ if socket.is_some_and(|path| path.trim_start_matches('/').is_empty()) => return Err(wrong("it has no path")),
        _ if socket.is_some() => {}
        Some("http") if matches!(uri.path(), "" | "/") && uri.query().is_none() => {}
        Some("http") => return Err(wrong("it has a path")),
        Some("https") => return Err(wrong("this build speaks no TLS")),
        _ => return Err(wrong("it is no address")),
    }
    let (interval, patience) = KEEPALIVE;
    Ok(endpoint.connect_timeout(CONNECTING).http2_keep_alive_interval(interval).keep_alive_timeout(patience))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn targets_that_cannot_be_asked_are_told_at_once() {
        for target in ["http://localhost:7071", "http://[::1]:7071/", "unix:/run/segue.sock", "unix:///run/segue.sock"]
        {
            assert!(Client::new(&Config { target: target.into(), ..Config::default() }).is_ok(), "{target}");
        }
        let wrong = ["", "localhost", "127.0.0.1:7071", "https://segue", "http://a:1/b", "ftp://a", "unix:", "unix://"];
        for target in wrong.into_iter().chain(["http://a b", "http://"]) {
            let error = Client::new(&Config { target: target.into(), ..Config::default() }).unwrap_err().to_string();
            assert!(error.contains(&format!("`{target}`")) && error.contains("http://127.0.0.1:7071"), "{error}");
        }
    }
}
