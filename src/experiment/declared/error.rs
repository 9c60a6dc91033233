//! Why an experiment is not declared, or not ended, by a call.

use crate::experiment::ConfigError;
use crate::store::StoreError;

/// Why a call about an experiment is refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeclareError {
    /// What no config could declare either, alone or beside what other calls declared.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It would disturb an experiment of the config.
    #[error("{0} (the other one is declared by [[experiments]] of the config, which no call changes)")]
    WithConfig(ConfigError),
    /// The experiment is the config's.
    #[error(
        "experiment `{0}` is declared by [[experiments]] of the config, which no call changes or ends: change the \
         config and restart, or take another name"
    )]
    Configured(String),
    /// A name with another salt than before.
    #[error(
        "experiment `{experiment}` has the salt `{before}`: another one would deal its units anew and mix both hands in \
         the log; keep the salt, or take another name"
    )]
    Salt {
        /// The experiment.
        experiment: String,
        /// The salt that it has, or had when it was ended.
        before: String,
    },
    /// A channel that does not exist.
    #[error(
        "experiment `{experiment}`: {of} names channel `{channel}`, which nothing was published to; {}",
        told(known)
    )]
    NoChannel {
        /// The experiment.
        experiment: String,
        /// `channel`, or the arm.
        of: String,
        /// The channel.
        channel: String,
        /// The channels that exist.
        known: Vec<String>,
    },
    /// Nothing to end.
    #[error("no call declared an experiment `{experiment}` that still runs; {}", told(known))]
    NotRunning {
        /// The name.
        experiment: String,
        /// Those that run.
        known: Vec<String>,
    },
    /// Settings in the store that this build cannot read.
    #[error(
        "the settings of experiment `{experiment}` in the store cannot be read ({problem}): set it again, end it, or \
         run a newer build"
    )]
    Settings {
        /// The experiment.
        experiment: String,
        /// What is wrong.
        problem: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeclareError {
    pub(super) fn settings(experiment: &str, problem: &serde_json::Error) -> Self {
        Self::Settings { experiment: experiment.into(), problem: problem.to_string() }
    }
}

fn told(known: &[String]) -> String {
    if known.is_empty() { "there is none".into() } else { format!("there are: {}", known.join(", ")) }
}
