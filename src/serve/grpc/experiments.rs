//! Experiments as the contract's messages.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

use super::convert::timestamp;
use crate::experiment::{ArmConfig, Config, Listed, Listing};
use crate::proto::{Arm, DeclaredExperiment, Experiment, ExperimentChange, ListExperimentsResponse};
use crate::serve::error::ServeError;
use crate::store;

/// The settings that a message gives; `default` is the channel where it names none.
pub(super) fn config(message: Experiment, default: &str) -> Result<Config, ServeError> {
    let Experiment { name, salt, channel, arms, traffic, start, end } = message;
    Ok(Config {
        name,
        salt,
        channel: if channel.is_empty() { default.into() } else { channel },
        arms: arms.into_iter().map(|Arm { name, weight, channel }| ArmConfig { name, weight, channel }).collect(),
        traffic: traffic.unwrap_or(1.0),
        start: time("experiment.start", start)?,
        end: time("experiment.end", end)?,
    })
}

fn time(field: &str, at: Option<Timestamp>) -> Result<Option<DateTime<Utc>>, ServeError> {
    let Some(at) = at else { return Ok(None) };
    let time = u32::try_from(at.nanos).ok().and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    let problem = || format!("{} s and {} ns since 1970 are no time", at.seconds, at.nanos);
    time.map(Some).ok_or_else(|| ServeError::Malformed { field: field.into(), problem: problem() })
}

impl From<Config> for Experiment {
    fn from(config: Config) -> Self {
        let Config { name, salt, channel, arms, traffic, start, end } = config;
        let arm = |ArmConfig { name, weight, channel }: ArmConfig| Arm { name, weight, channel };
        Self {
            name,
            salt,
            channel,
            arms: arms.into_iter().map(arm).collect(),
            traffic: Some(traffic),
            start: start.map(timestamp),
            end: end.map(timestamp),
        }
    }
}

impl From<store::ExperimentChange> for ExperimentChange {
    fn from(change: store::ExperimentChange) -> Self {
        let store::ExperimentChange { seq, action, experiment, settings, who, at, why } = change;
        // What this build cannot read, it cannot show.
        let settings = serde_json::from_value::<Config>(settings).ok().map(Experiment::from);
        Self { seq, action: action.to_string(), experiment, settings, who, at: Some(timestamp(at)), why }
    }
}

impl From<Listed> for DeclaredExperiment {
    fn from(listed: Listed) -> Self {
        let Listed { name, settings, source, phase, refused, declaration } = listed;
        let at = declaration.as_ref().map(|declaration| timestamp(declaration.at));
        let (who, why) = declaration.map(|declaration| (declaration.who, declaration.why)).unwrap_or_default();
        Self {
            name,
            settings: settings.map(Experiment::from),
            source: source.name().into(),
            phase: phase.name().into(),
            refused: refused.unwrap_or_default(),
            who,
            at,
            why,
        }
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
