//! What `[serve]` of the config decides.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StartError;
use crate::lookup::DEFAULT_MAX_HISTORY;
use crate::store::live::{LiveConfig, Residence};
use bytesize::ByteSize;

/// Where a server listens, what it takes, and how it keeps the live table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Lookups as JSON, health, metrics.
    pub http_addr: SocketAddr,
    /// Lookups as gRPC.
    pub grpc_addr: SocketAddr,
    /// A Unix socket for lookups as gRPC, beside the port: cheaper for callers on the same machine.
    pub grpc_socket: Option<PathBuf>,
    /// Operations, as gRPC and as JSON. Beyond loopback only with `admin_token_file`.
    pub admin_addr: SocketAddr,
    /// A file that holds the token which every call to the admin port must bear; none means no token is asked for.
    pub admin_token_file: Option<PathBuf>,
    /// The channel that answers where a request names none.
    pub channel: String,
    /// Threads that answer lookups, each with its own connections; none means one a core.
    pub workers: Option<NonZeroUsize>,
    /// The longest history, and the longest exclusion list.
    pub max_history: NonZeroUsize,
    /// The most lookups in a batch.
    pub max_batch: NonZeroUsize,
    /// The largest request body.
    pub max_message: ByteSize,
    /// Lookup calls in work at once, both ports together; what comes on top is turned away at once, not queued.
    pub max_concurrency: NonZeroUsize,
    /// Open connections a port; further ones wait in the system's queue.
    pub max_connections: NonZeroUsize,
    /// Open calls and streams an HTTP/2 connection.
    pub max_streams: NonZeroU32,
    /// The longest that a lookup call may take from its head to its answer's head; mostly a slow body's time.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long calls may go on after a shutdown was asked for; what is then still open is cut.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
    /// The directory of the live tables' private copies; none means beside the store's versions.
    pub cache: Option<PathBuf>,
    /// Whether live tables are only mapped, or locked in memory too.
    pub residence: Residence,
    /// How often the store is looked at.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let live = LiveConfig::default();
        Self {
            http_addr: local(7070),
            grpc_addr: local(7071),
            grpc_socket: None,
            admin_addr: local(7072),
            admin_token_file: None,
            channel: "main".into(),
            workers: None,
            max_history: nonzero(DEFAULT_MAX_HISTORY),
            max_batch: nonzero(4096),
            max_message: ByteSize(4 << 20),
            max_concurrency: nonzero(1024),
            max_connections: nonzero(4096),
            max_streams: NonZeroU32::MIN.saturating_add(255),
            timeout: Duration::from_secs(1),
            drain: Duration::from_secs(10),
            cache: live.cache,
            residence: live.residence,
            poll: live.poll,
        }
    }
}

/// A size as the limits of libraries want it.
pub(super) fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

fn nonzero(value: usize) -> NonZeroUsize {
    NonZeroUsize::MIN.saturating_add(value - 1)
}

impl Config {
    /// How the live tables are kept.
    pub fn live(&self) -> LiveConfig {
        LiveConfig { cache: self.cache.clone(), residence: self.residence, poll: self.poll }
    }

    /// Threads that answer lookups.
    pub(super) fn worker_count(&self) -> usize {
        self.workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    /// What no single field shows.
    pub(super) fn check(&self) -> Result<(), StartError> {
        if self.timeout.is_zero() {
            return Err(StartError::NoTimeout);
        }
        if self.admin_token_file.is_none() && !self.admin_addr.ip().is_loopback() {
            return Err(StartError::AdminExposed(self.admin_addr));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_default_is_what_an_empty_config_gives_and_survives_a_round_trip() {
        let default = Config::default();
        assert_eq!(config("{}").unwrap(), default);
        assert_eq!(config(&serde_json::to_string(&default).unwrap()).unwrap(), default);
        assert_eq!((default.max_history.get(), default.max_streams.get()), (4096, 256));
        assert!(default.check().is_ok());
    }

    #[test]
    fn values_that_cannot_serve_are_refused() {
        for (json, named) in [
            (r#"{"max_batch": 0}"#, "nonzero"),
            (r#"{"grpc_adr": "127.0.0.1:1"}"#, "grpc_adr"),
            (r#"{"http_addr": "7070"}"#, "socket address"),
            (r#"{"max_message": "4 parsecs"}"#, "parsecs"),
        ] {
            let error = config(json).unwrap_err().to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
        assert!(matches!(config(r#"{"timeout": "0s"}"#).unwrap().check(), Err(StartError::NoTimeout)));
    }

    #[test]
    fn admin_is_not_shown_to_the_world_without_a_token() {
        for open in ["0.0.0.0:7072", "[::]:7072", "192.0.2.1:7072"] {
            let config = Config { admin_addr: open.parse().unwrap(), ..Config::default() };
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(open) && error.contains("admin_token_file"), "{error}");
            assert!(Config { admin_token_file: Some("token".into()), ..config }.check().is_ok());
        }
        assert!(Config { admin_addr: "[::1]:7072".parse().unwrap(), ..Config::default() }.check().is_ok());
    }
}
