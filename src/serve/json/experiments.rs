//! Experiments as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::experiment::{ArmConfig, Config, Listed, Listing, Phase, Source};
use crate::store::{self, ExperimentAction};

/// Which changes to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct ListExperimentsQuery {
    /// At most so many changes, newest first. 0 means 100; at most 1000 are listed.
    #[param(required = false)]
    pub(in crate::serve) limit: u32,
    /// Only changes below this number, to read on. 0 means from the newest.
    #[param(required = false)]
    pub(in crate::serve) before: u64,
}

/// An experiment's settings.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct Experiment {
    /// What answers and logs call it.
    name: String,
    /// With the unit, it decides the arm: a new one for each experiment, the same for its life.
    salt: String,
    /// The channel that it takes over; empty means the server's default.
    #[serde(default)]
    channel: String,
    /// Two or more; their weights add up to 1.
    arms: Vec<Arm>,
    /// The share of units that take part, over 0 and up to 1.
    #[serde(default = "everyone")]
    traffic: f64,
    /// From this moment on; null means at once.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<DateTime<Utc>>,
    /// Up to this moment; null means for good.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    end: Option<DateTime<Utc>>,
}

/// One arm of an experiment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct Arm {
    /// What answers and logs call it.
    name: String,
    /// Its share of the units that take part.
    weight: f64,
    /// The channel that answers its units.
    channel: String,
}

fn everyone() -> f64 {
    1.0
}

impl Experiment {
    /// The settings; `default` is the channel where none is named.
    pub(in crate::serve) fn config(self, default: &str) -> Config {
        let Self { name, salt, channel, arms, traffic, start, end } = self;
        let channel = if channel.is_empty() { default.into() } else { channel };
        let arms = arms.into_iter().map(|Arm { name, weight, channel }| ArmConfig { name, weight, channel }).collect();
        Config { name, salt, channel, arms, traffic, start, end }
    }
}

impl From<Config> for Experiment {
    fn from(config: Config) -> Self {
        let Config { name, salt, channel, arms, traffic, start, end } = config;
        let arms = arms.into_iter().map(|ArmConfig { name, weight, channel }| Arm { name, weight, channel }).collect();
        Self { name, salt, channel, arms, traffic, start, end }
    }
}

/// Lets an experiment run with these settings, new or changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "experiment": {
        "name": "rag", "salt": "2026-rag", "channel": "main", "traffic": 0.2,
        "arms": [
            {"name": "control", "weight": 0.5, "channel": "control"},
            {"name": "fresh", "weight": 0.5, "channel": "fresh"},
        ],
        "start": "2026-03-01T00:00:00Z",
    },
    "who": "ada", "why": "fresher context",
}))]
pub(in crate::serve) struct SetExperimentRequest {
    /// All its settings: those of an experiment that runs are replaced.
    pub(in crate::serve) experiment: Experiment,
    /// Who asks; kept.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why; kept.
    #[serde(default)]
    pub(in crate::serve) why: String,
}

/// Ends an experiment that a call declared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"experiment": "rag", "who": "ada", "why": "fresh has won"}))]
pub(in crate::serve) struct EndExperimentRequest {
    /// Its name.
    pub(in crate::serve) experiment: String,
    /// Who asks; kept.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why; kept.
    #[serde(default)]
    pub(in crate::serve) why: String,
}

/// The experiments that are not ended, and the changes that calls made.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct ListExperimentsResponse {
    /// The config's, then those of calls in the order in which they were set.
    experiments: Vec<DeclaredExperiment>,
    /// The newest first.
    changes: Vec<ExperimentChange>,
}

/// An experiment that is not ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct DeclaredExperiment {
    /// Its name.
    name: String,
    /// Its settings; null where this server cannot read them.
    settings: Option<Experiment>,
    /// `config` or `call`.
    #[schema(value_type = String, example = "call")]
    source: Source,
    /// `planned`, `running`, `over`, or `refused` where this server's config conflicts with it.
    #[schema(value_type = String, example = "running")]
    phase: Phase,
    /// Why it is refused.
    refused: Option<String>,
    /// Who set it so; null for the config's.
    who: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<DateTime<Utc>>,
    /// Why.
    why: Option<String>,
}

/// One change that a call made. Every one is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct ExperimentChange {
    /// Counts from 1, over all experiments.
    seq: u64,
    /// `set` or `end`.
    #[schema(value_type = String, example = "set")]
    action: ExperimentAction,
    /// The experiment's name.
    experiment: String,
    /// The settings that it got, or had when it was ended; null where this server cannot read them.
    settings: Option<Experiment>,
    /// Who did it.
    who: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// Why.
    why: String,
}

impl From<store::ExperimentChange> for ExperimentChange {
    fn from(change: store::ExperimentChange) -> Self {
        let store::ExperimentChange { seq, action, experiment, settings, who, at, why } = change;
        let settings = serde_json::from_value::<Config>(settings).ok().map(Experiment::from);
        Self { seq, action, experiment, settings, who, at, why }
    }
}

impl From<Listed> for DeclaredExperiment {
    fn from(listed: Listed) -> Self {
        let Listed { name, settings, source, phase, refused, declaration } = listed;
        let settings = settings.map(Experiment::from);
        let told = declaration.map(|told| (Some(told.who), Some(told.at), Some(told.why)));
        let (who, at, why) = told.unwrap_or_default();
        Self { name, settings, source, phase, refused, who, at, why }
    }
}

impl From<Listing> for ListExperimentsResponse {
    fn from(listing: Listing) -> Self {
        Self {
            experiments: listing.experiments.into_iter().map(DeclaredExperiment::from).collect(),
            changes: listing.changes.into_iter().map(ExperimentChange::from).collect(),
        }
    }
}
