//! `segue.toml`: the sections that each part owns, put together.
//!
//! Precedence: `--set` on the command line, then the environment (`SEGUE__SERVE__GRPC_ADDR`), then the file, then the
//! defaults. An unknown key is an error that names the nearest known one.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;
use serde::{Deserialize, Serialize};

#[cfg(feature = "refresher")]
use crate::{interactions, refresh, simulate};
use crate::{serve, store, table, telemetry};

/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "segue.toml";

/// A slim replica reads the same file as everyone and leaves the refresher's sections alone.
#[cfg(not(feature = "refresher"))]
type Unread = Option<serde_json::Value>;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where versions and channels are kept.
    pub store: store::Config,
    /// The cluster set.
    #[cfg(feature = "refresher")]
    pub clusters: interactions::ClustersConfig,
    /// The logs.
    #[cfg(feature = "refresher")]
    pub interactions: interactions::Config,
    /// What is built.
    pub table: table::Config,
    /// The refresh cycle.
    #[cfg(feature = "refresher")]
    pub refresh: refresh::Config,
    /// The server.
    pub serve: serve::Config,
    /// The simulator.
    #[cfg(feature = "refresher")]
    pub simulate: simulate::Config,
    /// Logging.
    pub telemetry: telemetry::Config,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    clusters: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    interactions: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    refresh: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    simulate: Unread,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file; `None` reads [`DEFAULT_FILE`] where there is one.
    pub file: Option<PathBuf>,
    /// `section.key=value`, the strongest last.
    pub set: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was named, and is not there.
    #[error("the config file {0} does not exist or cannot be read: name another with --config")]
    NoFile(PathBuf),
    /// A `--set` without an equals sign.
    #[error("--set {0}: write it as section.key=value, for example serve.http_addr=127.0.0.1:8080")]
    Set(String),
    /// A key of no meaning.
    #[error("unknown key `{key}` {origin}: {advice}")]
    UnknownKey {
        /// The key, with its section.
        key: String,
        /// The file or variable that has it.
        origin: String,
        /// The nearest known key.
        advice: String,
    },
    /// A value that does not fit.
    #[error("`{key}` {origin}: {problem}")]
    Value {
        /// The key, with its section.
        key: String,
        /// The file or variable that has it.
        origin: String,
        /// What is wrong.
        problem: String,
    },
}

impl Config {
    /// Reads all sources.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut figment =
            Figment::from(Serialized::defaults(Config::default())).merge(Toml::file_exact(file(sources)?));
        figment = figment.merge(Env::prefixed("SEGUE__").split("__"));
        for set in &sources.set {
            let (key, value) = set.split_once('=').ok_or_else(|| ConfigError::Set(set.clone()))?;
            let value: Value = value.parse().unwrap_or_else(|never| match never {});
            figment = figment.merge(Serialized::default(key.trim(), value));
        }
        // The first of several problems is the one that is told.
        figment.extract().map_err(|errors| describe(errors.into_iter().next()))
    }
}

fn file(sources: &Sources) -> Result<&Path, ConfigError> {
    match &sources.file {
        Some(path) if std::fs::File::open(path).is_err() => Err(ConfigError::NoFile(path.clone())),
        Some(path) => Ok(path),
        None => Ok(Path::new(DEFAULT_FILE)),
    }
}

fn describe(error: Option<figment::Error>) -> ConfigError {
    let Some(error) = error else {
        return ConfigError::Value { key: String::new(), origin: String::new(), problem: "it cannot be read".into() };
    };
    let (mut key, origin) = (error.path.join("."), origin(&error));
    match &error.kind {
        Kind::UnknownField(name, known) => {
            if error.path.last() != Some(name) {
                key = [error.path.as_slice(), std::slice::from_ref(name)].concat().join(".");
            }
            ConfigError::UnknownKey { key, origin, advice: advice(name, known) }
        }
        kind => ConfigError::Value { key, origin, problem: kind.to_string() },
    }
}

fn origin(error: &figment::Error) -> String {
    let Some(metadata) = &error.metadata else { return String::new() };
    match metadata.source.as_ref().and_then(|source| source.file_path()) {
        Some(path) => format!("in {}", path.display()),
        None => format!("from {}", metadata.name),
    }
}

/// The known name with the fewest edits to `name`, where few are enough to believe in a slip.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let scored = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    scored.min().filter(|(edits, _)| *edits <= 1 + name.len() / 3).map(|(_, known)| known)
}

fn advice(name: &str, known: &'static [&'static str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}
