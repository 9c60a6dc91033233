//! `[[experiments]]`: who is asked from which channel, and since when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One experiment (one `[[experiments]]` of the config).
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

/// Why experiments cannot be run as configured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A text that is needed and missing, or that holds a character of code 0.
    #[error("[[experiments]] `{experiment}`: {field} is empty or holds a NUL: give it a name")]
    Text {
        /// The experiment.
        experiment: String,
        /// Which text.
        field: String,
    },
    /// Nothing to compare.
    #[error("[[experiments]] `{experiment}` has {arms} arm(s), a comparison needs two or more: add one, a control say")]
    Arms {
        /// The experiment.
        experiment: String,
        /// How many there are.
        arms: usize,
    },
    /// A name used twice.
    #[error("[[experiments]] `{experiment}` has two arms named `{arm}`: rename one")]
    SameArm {
        /// The experiment.
        experiment: String,
        /// The name.
        arm: String,
    },
    /// A weight that is no share.
    #[error("[[experiments]] `{experiment}`: arm `{arm}` has weight {weight}: a share over 0 and below 1 is needed")]
    Weight {
        /// The experiment.
        experiment: String,
        /// The arm.
        arm: String,
        /// Its weight.
        weight: f64,
    },
    /// Weights that leave something over, or too little.
    #[error("[[experiments]] `{experiment}`: the arms' weights add up to {sum}, not to 1: `traffic` keeps units out")]
    Sum {
        /// The experiment.
        experiment: String,
        /// What they add up to.
        sum: f64,
    },
    /// A traffic share that is no share.
    #[error("[[experiments]] `{experiment}`: traffic is {traffic}: a share over 0 and up to 1 is needed")]
    Traffic {
        /// The experiment.
        experiment: String,
        /// The share.
        traffic: f64,
    },
    /// An experiment that never runs.
    #[error("[[experiments]] `{experiment}` ends at {end}, before or when it starts at {start}: exchange them")]
    Window {
        /// The experiment.
        experiment: String,
        /// Its start.
        start: DateTime<Utc>,
        /// Its end.
        end: DateTime<Utc>,
    },
    /// One name for two experiments.
    #[error("two [[experiments]] are named `{0}`: rename one")]
    SameName(String),
    /// One salt for two experiments: their arms would be the same units.
    #[error("[[experiments]] `{0}` and `{1}` have the same salt, so that their arms depend on each other: change one")]
    SameSalt(String, String),
    /// One channel for two experiments.
    #[error("[[experiments]] `{0}` and `{1}` both take over channel `{2}`: one channel has one experiment at a time")]
    SameChannel(String, String, String),
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
        match own.into_iter().chain(of_arms).find(|(_, text)| text.is_empty() || text.contains('\0')) {
            Some((field, _)) => Err(ConfigError::Text { experiment: self.name.clone(), field }),
            None => Ok(()),
        }
    }
}
