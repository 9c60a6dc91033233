//! What an experiment is made of: who is asked from which channel, and since when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The most experiments of one server, those of the config and of calls together.
pub const MAX_EXPERIMENTS: usize = 100;
/// The most arms of an experiment.
pub const MAX_ARMS: usize = 32;
/// The longest name, salt or channel, in bytes.
pub const MAX_TEXT: usize = 128;

/// One experiment: one `[[experiments]]` of the config, or the settings that a call gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What answers and logs call it.
    pub name: String,
    /// What decides, with the unit, who is in which arm. The same salt deals the same hand: take a new one for each
    /// experiment, and keep it for the experiment's life.
    pub salt: String,
    /// The channel that it takes over.
    #[serde(default = "main_channel")]
    pub channel: String,
    /// Two or more.
    pub arms: Vec<ArmConfig>,
    /// The share of units that take part, over 0 and up to 1; the others are answered from `channel`, as if there were
    /// no experiment. A larger share adds units and moves none.
    #[serde(default = "everyone")]
    pub traffic: f64,
    /// From this moment on; none means from the server's start.
    #[serde(default)]
    pub start: Option<DateTime<Utc>>,
    /// Up to this moment, not at it; none means for good.
    #[serde(default)]
    pub end: Option<DateTime<Utc>>,
}

/// One arm of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmConfig {
    /// What answers and logs call it.
    pub name: String,
    /// The arm's share of the units that take part, over 0; all arms' shares add up to 1.
    pub weight: f64,
    /// The channel that answers its units.
    pub channel: String,
}

fn main_channel() -> String {
    "main".into()
}

fn everyone() -> f64 {
    1.0
}

/// Why experiments cannot be run as they are declared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A text that is needed and missing, or that holds a character of code 0.
    #[error("experiment `{experiment}`: {field} is empty or holds a NUL: give it a name")]
    Text {
        /// The experiment.
        experiment: String,
        /// Which text.
        field: String,
    },
    /// A text that is too long to stand in every answer and every row of the log.
    #[error("experiment `{experiment}`: {field} has {len} bytes, at most {MAX_TEXT} are taken: shorten it")]
    TooLong {
        /// The beginning of the experiment's name.
        experiment: String,
        /// Which text.
        field: String,
        /// Its length in bytes.
        len: usize,
    },
    /// More arms than a lookup should compare.
    #[error("experiment `{experiment}` has {arms} arms, at most {MAX_ARMS} are taken: leave some out")]
    ManyArms {
        /// The experiment.
        experiment: String,
        /// How many there are.
        arms: usize,
    },
    /// More experiments than a server should look through.
    #[error("`{0}` would be one experiment more than the {MAX_EXPERIMENTS} that a server takes: end another first")]
    Many(String),
    /// Nothing to compare.
    #[error("experiment `{experiment}` has {arms} arm(s), a comparison needs two or more: add one, a control say")]
    Arms {
        /// The experiment.
        experiment: String,
        /// How many there are.
        arms: usize,
    },
    /// A name used twice.
    #[error("experiment `{experiment}` has two arms named `{arm}`: rename one")]
    SameArm {
        /// The experiment.
        experiment: String,
        /// The name.
        arm: String,
    },
    /// A weight that is no share.
    #[error("experiment `{experiment}`: arm `{arm}` has weight {weight}: a share over 0 and below 1 is needed")]
    Weight {
        /// The experiment.
        experiment: String,
        /// The arm.
        arm: String,
        /// Its weight.
        weight: f64,
    },
    /// Weights that leave something over, or too little.
    #[error("experiment `{experiment}`: the arms' weights add up to {sum}, not to 1: `traffic` keeps units out")]
    Sum {
        /// The experiment.
        experiment: String,
        /// What they add up to.
        sum: f64,
    },
    /// A traffic share that is no share.
    #[error("experiment `{experiment}`: traffic is {traffic}: a share over 0 and up to 1 is needed")]
    Traffic {
        /// The experiment.
        experiment: String,
        /// The share.
        traffic: f64,
    },
    /// An experiment that never runs.
    #[error("experiment `{experiment}` ends at {end}, before or when it starts at {start}: exchange them")]
    Window {
        /// The experiment.
        experiment: String,
        /// Its start.
        start: DateTime<Utc>,
        /// Its end.
        end: DateTime<Utc>,
    },
    /// One name for two experiments.
    #[error("two experiments are named `{0}`: rename one")]
    SameName(String),
    /// One salt for two experiments: their arms would be the same units.
    #[error("experiments `{0}` and `{1}` have the same salt, so that their arms depend on each other: change one")]
    SameSalt(String, String),
    /// One channel for two experiments at the same time.
    #[error(
        "experiments `{0}` and `{1}` both take over channel `{2}`: one channel has one experiment at a time; end one \
         before the other starts"
    )]
    SameChannel(String, String, String),
}

impl ConfigError {
    /// Whether the experiment could be run if others were not.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::SameName(_) | Self::SameSalt(..) | Self::SameChannel(..) | Self::Many(_))
    }
}

/// Weights come from decimals: what they add up to may be off by their rounding.
const ROUNDING: f64 = 1e-9;

impl Config {
    /// What can be seen without looking at other experiments.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let experiment = || self.name.clone();
        self.check_texts()?;
        if self.arms.len() < 2 {
            return Err(ConfigError::Arms { experiment: experiment(), arms: self.arms.len() });
        }
        if self.arms.len() > MAX_ARMS {
            return Err(ConfigError::ManyArms { experiment: experiment(), arms: self.arms.len() });
        }
        for (index, arm) in self.arms.iter().enumerate() {
            if !(arm.weight > 0.0 && arm.weight < 1.0) {
                return Err(ConfigError::Weight {
                    experiment: experiment(),
                    arm: arm.name.clone(),
                    weight: arm.weight,
                });
            }
            if self.arms[..index].iter().any(|before| before.name == arm.name) {
                return Err(ConfigError::SameArm { experiment: experiment(), arm: arm.name.clone() });
            }
        }
        let sum: f64 = self.arms.iter().map(|arm| arm.weight).sum();
        if (sum - 1.0).abs() > ROUNDING {
            return Err(ConfigError::Sum { experiment: experiment(), sum });
        }
        if !(self.traffic > 0.0 && self.traffic <= 1.0) {
            return Err(ConfigError::Traffic { experiment: experiment(), traffic: self.traffic });
        }
        match (self.start, self.end) {
            (Some(start), Some(end)) if end <= start => {
                Err(ConfigError::Window { experiment: experiment(), start, end })
            }
            _ => Ok(()),
        }
    }

    fn check_texts(&self) -> Result<(), ConfigError> {
        let own = [("name", &self.name), ("salt", &self.salt), ("channel", &self.channel)];
        let own = own.map(|(field, text)| (field.to_owned(), text));
        let of_arms = self.arms.iter().enumerate().flat_map(|(index, arm)| {
            [(format!("arms[{index}].name"), &arm.name), (format!("arms[{index}].channel"), &arm.channel)]
        });
        own.into_iter().chain(of_arms).try_for_each(|(field, text)| check_text(&self.name, field, text))
    }

    /// The channels that it reads: its own, then its arms'.
    pub(super) fn channels(&self) -> impl Iterator<Item = (String, &str)> {
        let of_arms = self.arms.iter().map(|arm| (format!("arm `{}`", arm.name), arm.channel.as_str()));
        std::iter::once(("channel".to_owned(), self.channel.as_str())).chain(of_arms)
    }
}

/// Refuses a name that no experiment can have.
pub(super) fn check_name(name: &str) -> Result<(), ConfigError> {
    check_text(name, "name".into(), name)
}

fn check_text(experiment: &str, field: String, text: &str) -> Result<(), ConfigError> {
    let experiment = || experiment.chars().take(MAX_TEXT).collect();
    if text.is_empty() || text.contains('\0') {
        return Err(ConfigError::Text { experiment: experiment(), field });
    }
    match text.len() {
        len if len > MAX_TEXT => Err(ConfigError::TooLong { experiment: experiment(), field, len }),
        _ => Ok(()),
    }
}
