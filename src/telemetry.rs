//! Logs: where they go and in which form. Data goes to stdout, all else to stderr.

use std::io::{self, IsTerminal};

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// `[telemetry]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is logged, as `tracing` filters are written: `info`, `segue=debug,h2=off`.
    pub log: String,
    /// How a line looks.
    pub format: Format,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self { log: "info".into(), format: Format::Text }
    }
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.log = `{filter}` is no log filter ({source}): write it like `info` or `segue=debug`")]
pub struct TelemetryError {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging to stderr. A second call changes nothing.
pub fn init(config: &Config) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.log);
    let filter = filter.map_err(|source| TelemetryError { filter: config.log.clone(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // An error here means that a subscriber is already set, which is then the one to keep.
    let _ = match config.format {
        Format::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        Format::Json => builder.json().try_init(),
    };
    Ok(())
}
