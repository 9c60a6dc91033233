//! What a client is told.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// Whom a client asks, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The server's gRPC port: `http://127.0.0.1:7071`, or `unix:/path/of/the/socket`.
    pub target: String,
    /// Connections, asked in turn. One carries hundreds of calls at once; more are for servers of many cores.
    pub connections: NonZeroUsize,
    /// How long a call may take, its retries and the pauses between them included.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How often a call is tried before an unavailable server is told of.
    pub attempts: NonZeroU32,
    /// The pause before the first retry, about; it doubles with each further one, up to a second.
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
    /// The most questions in one call of [`Client::lookup_all`](super::Client::lookup_all); the server's
    /// `serve.max_batch` must take them.
    pub max_batch: NonZeroUsize,
    /// The most bytes in one such call; the server's `serve.max_message` must take them.
    pub max_message: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            target: "http://127.0.0.1:7071".into(),
            connections: NonZeroUsize::MIN,
            timeout: Duration::from_secs(1),
            attempts: NonZeroU32::MIN.saturating_add(3),
            backoff: Duration::from_millis(20),
            max_batch: NonZeroUsize::MIN.saturating_add(255),
            max_message: ByteSize::mib(4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_an_empty_config_gives_and_survives_a_round_trip() {
        let default = Config::default();
        assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), default);
        let json = serde_json::to_string(&default).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), default);
        assert_eq!((default.attempts.get(), default.max_batch.get()), (4, 256));
        assert!(serde_json::from_str::<Config>(r#"{"max_batch": 0}"#).is_err());
    }
}
