//! `segue.toml`: the sections that each part owns, put together.
//!
//! Precedence: `--set` on the command line, then the environment (`SEGUE__SERVE__GRPC_ADDR`), then the file, then the
//! defaults. An unknown key is an error that names the nearest known one.

use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};

#[cfg(feature = "refresher")]
use crate::{evaluation, finetune, inference, interactions, refresh, retrieval, simulate};
use crate::{experiment, serve, store, table, telemetry};

/// The file that is read when no other is named.
pub const DEFAULT_FILE: &str = "segue.toml";

/// What the names of variables begin with.
const PREFIX: &str = "SEGUE__";

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
    /// What a table must be like to go live.
    #[cfg(feature = "refresher")]
    pub evaluation: evaluation::Config,
    /// Which units are answered from which channels.
    pub experiments: Vec<experiment::Config>,
    /// Where it is logged which units were answered by which arm.
    pub exposures: experiment::ExposuresConfig,
    /// What units did, and what is measured of it.
    #[cfg(feature = "refresher")]
    pub outcomes: experiment::OutcomesConfig,
    /// What prompts show of recent behaviour.
    #[cfg(feature = "refresher")]
    pub retrieval: retrieval::Config,
    /// Who predicts.
    #[cfg(feature = "refresher")]
    pub inference: inference::Config,
    /// What a model is tuned with.
    #[cfg(feature = "refresher")]
    pub finetune: finetune::Config,
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
    evaluation: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    outcomes: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    retrieval: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    inference: Unread,
    #[cfg(not(feature = "refresher"))]
    #[serde(skip_serializing)]
    finetune: Unread,
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
    /// A file that is no TOML.
    #[error("the config {origin} cannot be read: {problem}")]
    Unreadable {
        /// The file.
        origin: String,
        /// What is wrong, and where.
        problem: String,
    },
    /// A variable or a `--set` that names no key.
    #[error("`{0}` sets no key: write --set serve.drain=5s, or SEGUE__SERVE__DRAIN=5s in the environment")]
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
    /// A table that cannot be built.
    #[error("[table] {0}")]
    Table(#[from] table::BuildError),
    /// A gate that cannot judge.
    #[cfg(feature = "refresher")]
    #[error(transparent)]
    Evaluation(#[from] evaluation::ConfigError),
    /// Experiments that cannot be run.
    #[error("[[experiments]]: {0}")]
    Experiments(#[from] experiment::ConfigError),
    /// Exposures that cannot be logged.
    #[error(transparent)]
    Exposures(#[from] experiment::ExposuresError),
    /// A model that cannot be asked so.
    #[cfg(feature = "refresher")]
    #[error(transparent)]
    Inference(#[from] inference::InferenceError),
    /// Samples that cannot be drawn.
    #[cfg(feature = "refresher")]
    #[error(transparent)]
    Finetune(#[from] finetune::FinetuneError),
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
        let mut figment = Figment::new();
        if let Some(file) = file(sources)? {
            figment = figment.merge(Toml::file_exact(file));
        }
        let set = sources.set.iter().map(|text| Assignment::from_set(text));
        for assignment in environment().chain(set) {
            let assignment = assignment?;
            // A key is set whole: a `cron` here takes the place of an `every` of the file instead of joining it.
            figment = figment.merge(assignment.erased()).merge(assignment);
        }
        // The first of several problems is the one that is told.
        let config: Self = figment.extract().map_err(|errors| describe(errors.into_iter().next()))?;
        config.table.check()?;
        experiment::Experiments::new(&config.experiments)?;
        config.exposures.check()?;
        #[cfg(feature = "refresher")]
        config.evaluation.check()?;
        #[cfg(feature = "refresher")]
        config.inference.check()?;
        #[cfg(feature = "refresher")]
        config.finetune.check()?;
        Ok(config)
    }
}

fn file(sources: &Sources) -> Result<Option<&Path>, ConfigError> {
    match &sources.file {
        Some(path) if std::fs::File::open(path).is_err() => Err(ConfigError::NoFile(path.clone())),
        Some(path) => Ok(Some(path)),
        None => Ok(Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists())),
    }
}

/// One key with its value, as the environment or the command line has it.
struct Assignment {
    origin: String,
    key: String,
    value: Value,
}

/// What the environment sets, in the order of names, so that a section comes before its keys.
fn environment() -> impl Iterator<Item = Result<Assignment, ConfigError>> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let set: std::collections::BTreeMap<String, String> =
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    set.into_iter().filter_map(|(name, value)| {
        let key = name.strip_prefix(PREFIX)?.to_lowercase().replace("__", ".");
        Some(Assignment::new(&name, &key, &value).ok_or(ConfigError::Set(name)))
    })
}

impl Assignment {
    /// `None` where `key` is not one or more names with dots between them.
    fn new(origin: &str, key: &str, value: &str) -> Option<Self> {
        let value = value.parse().unwrap_or_else(|never| match never {});
        let key = key.trim();
        (!key.split('.').any(str::is_empty)).then(|| Self { origin: origin.into(), key: key.into(), value })
    }

    fn from_set(text: &str) -> Result<Self, ConfigError> {
        let assignment = text.split_once('=').and_then(|(key, value)| Self::new("--set", key, value));
        assignment.ok_or_else(|| ConfigError::Set(text.into()))
    }

    /// Takes the place of whatever weaker sources have for the key.
    fn erased(&self) -> Self {
        Self { origin: self.origin.clone(), key: self.key.clone(), value: Value::from("") }
    }
}

impl Provider for Assignment {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(nest(&self.key, self.value.clone()).into_dict().unwrap_or_default()))
    }
}

fn describe(error: Option<figment::Error>) -> ConfigError {
    let Some(error) = error else {
        return ConfigError::Unreadable { origin: String::new(), problem: "for no reason given".into() };
    };
    let (mut key, origin) = (error.path.join("."), origin(&error));
    match &error.kind {
        Kind::UnknownField(name, known) => {
            if error.path.last() != Some(name) {
                key = [error.path.as_slice(), std::slice::from_ref(name)].concat().join(".");
            }
            ConfigError::UnknownKey { key, origin, advice: advice(name, known) }
        }
        kind if key.is_empty() => ConfigError::Unreadable { origin, problem: kind.to_string().trim_end().into() },
        Kind::UnknownVariant(name, known) => {
            ConfigError::Value { key, origin, problem: format!("`{name}` means nothing: {}", advice(name, known)) }
        }
        Kind::InvalidType(_, expected) if expected == "a string" => {
            let problem = format!("{}; text that looks like something else needs quotes: \"...\"", error.kind);
            ConfigError::Value { key, origin, problem }
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
