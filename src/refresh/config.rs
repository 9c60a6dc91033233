//! `[refresh]`.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::error::RefreshError;

/// What a refresh counts, and when it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The window of the log that a table's successors are counted from.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// Where the window of a run ends that names no end.
    pub ends: Ends,
    /// When the embedded refresher runs.
    pub policy: Policy,
    /// How often the adaptive policy looks whether another day of log has come.
    #[serde(with = "humantime_serde")]
    pub look: Duration,
    /// Whether it is kept, beside each table, why each key's row is what it is (`segue explain`): some 50 bytes a key.
    pub explain: bool,
    /// The private memory that the embedded refresher's process may take, its counting and building included. The process
    /// that it tunes the model in may take as much again.
    pub memory_limit: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        let policy = Policy::Fixed(Fixed { refresh: Cadence::Every(2 * day), finetune: None });
        let (look, memory_limit) = (Duration::from_secs(60), ByteSize::gib(6));
        Self { window: 30 * day, ends: Ends::default(), policy, look, explain: true, memory_limit }
    }
}

/// Where the log is taken to end: `"newest_event"` or `"whole_days"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// Right behind its newest event: right for a log that arrives a day at a time.
    #[default]
    NewestEvent,
    /// At the midnight (UTC) before its newest event: right for a log that streams in, whose newest day the input gate
    /// would hold as incomplete. A day counts as whole once an event of a later one has come.
    WholeDays,
}

/// When the embedded refresher runs: `"on_demand"`, `"adaptive"`, `{ fixed = { every = "2d" } }` or
/// `{ fixed = { cron = "0 3 * * *" } }`, the latter two with `finetune = "30d"` where it tunes the model too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// When it is asked to.
    OnDemand,
    /// When it pays, as `[evaluation.cadence]` says: weighed once for each day of log that has come. And when it is asked
    /// to. Where the registry says which model is asked, that is tuned when refreshes no longer do.
    Adaptive,
    /// On fixed schedules (section 2: fine-tuning monthly, "RAG refresh multiple times within a week"), and when it is
    /// asked to.
    Fixed(Fixed),
}

/// Fixed schedules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawFixed", into = "RawFixed")]
pub struct Fixed {
    /// When a refresh runs.
    pub refresh: Cadence,
    /// How long after the newest model of the registry was made another one is tuned, at least a second; the first one at
    /// once. `None` leaves that to people.
    pub finetune: Option<Duration>,
}

/// When a refresh runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// This long after the last run began, at least a second.
    Every(Duration),
    /// At the times of a cron expression, UTC: five fields, or six with seconds first.
    Cron(Box<croner::Cron>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFixed {
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    every: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    finetune: Option<Duration>,
}

impl TryFrom<RawFixed> for Fixed {
    type Error = String;

    fn try_from(RawFixed { every, cron, finetune }: RawFixed) -> Result<Self, Self::Error> {
        let too_often = [("every", every), ("finetune", finetune)].into_iter().find_map(|(key, time)| {
            time.filter(|&time| time < Duration::from_secs(1))
                .map(|time| format!("{key} = {time:?} is too often: give at least 1s"))
        });
        if let Some(problem) = too_often {
            return Err(problem);
        }
        let refresh = match (every, cron) {
            (Some(every), None) => Cadence::Every(every),
            (None, Some(cron)) => {
                let parsed = cron.parse().map_err(|error| format!("cron = `{cron}` cannot be read: {error}"))?;
                Cadence::Cron(Box::new(parsed))
            }
            _ => return Err("a fixed schedule has either every = \"2d\" or cron = \"0 3 * * *\"".into()),
        };
        Ok(Self { refresh, finetune })
    }
}

impl From<Fixed> for RawFixed {
    fn from(Fixed { refresh, finetune }: Fixed) -> Self {
        match refresh {
            Cadence::Every(every) => Self { every: Some(every), cron: None, finetune },
            Cadence::Cron(cron) => Self { every: None, cron: Some(cron.as_str().to_owned()), finetune },
        }
    }
}

/// What the process takes beside counting and building: code, threads, file buffers.
const HEADROOM: ByteSize = ByteSize::mib(512);

impl Config {
    /// Refuses a memory limit that counting within `counting` and building within `building` would break.
    pub fn check_memory(&self, counting: ByteSize, building: ByteSize) -> Result<(), RefreshError> {
        let needed = ByteSize(counting.0.saturating_add(building.0).saturating_add(HEADROOM.0));
        let limit = self.memory_limit;
        if limit >= needed { Ok(()) } else { Err(RefreshError::MemoryLimit { limit, needed, counting, building }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_as_they_are_written() {
        for text in [
            r#""on_demand""#,
            r#""adaptive""#,
            r#"{"fixed":{"every":"2days"}}"#,
            r#"{"fixed":{"cron":"0 3 * * *"}}"#,
            r#"{"fixed":{"every":"2days","finetune":"30days"}}"#,
            r#"{"fixed":{"cron":"0 3 * * *","finetune":"30days"}}"#,
        ] {
            let policy: Policy = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&policy).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_policy_says_why() {
        for (text, says) in [
            (r#"{"fixed":{"every":"10ms"}}"#, "every = 10ms is too often: give at least 1s"),
            (r#"{"fixed":{"every":"2d","finetune":"10ms"}}"#, "finetune = 10ms is too often: give at least 1s"),
            (r#"{"fixed":{"finetune":"30d"}}"#, "either every"),
            (r#"{"fixed":{"cron":"sometimes"}}"#, "`sometimes` cannot be read"),
            (r#"{"fixed":{}}"#, "either every"),
            (r#"{"fixed":{"every":"2d","cron":"0 3 * * *"}}"#, "either every"),
            (r#"{"fixed":{"evry":"2d"}}"#, "unknown field `evry`"),
            (r#""sometimes""#, "unknown variant"),
        ] {
            let error = serde_json::from_str::<Policy>(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
