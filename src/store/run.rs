//! What the refresher's process says over its pipe, and what it is told: one JSON object a line.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{ModelId, VersionId};

/// Where a refresh run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// No run: the refresher waits for its schedule or a command.
    #[default]
    Idle,
    /// A step is under way.
    Running,
    /// A version was published.
    Published,
    /// A gate held the new version; the live one stays.
    Held,
    /// The inputs are those of the live version.
    NothingToDo,
    /// A step failed; the live version stays.
    Failed,
    /// Someone ended the run.
    Cancelled,
    /// The process died; it is started again.
    Crashed,
}

/// One line of the refresher's output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunEvent {
    /// When it was said.
    pub at: DateTime<Utc>,
    /// The run's name; empty while idle.
    pub run: String,
    /// Where the run stands.
    pub state: RunState,
    /// The step under way.
    pub step: String,
    /// Units of the step done so far.
    pub done: u64,
    /// Units of the step in all; 0 where they are not known.
    pub total: u64,
    /// For people: what was found, or what went wrong and what to do about it.
    pub message: String,
    /// The version published or held, once there is one.
    pub version: Option<VersionId>,
    /// When the next scheduled run begins.
    pub next: Option<DateTime<Utc>>,
    /// What the adaptive policy has just decided.
    pub weighed: Option<Weighed>,
    /// Where the tuning of a model stands, or how the last one ended.
    pub tuning: Option<Tuning>,
}

/// How the tuning of a model goes, beside the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// Whether it goes on, or how it ended.
    pub state: TuningState,
    /// Its last line, for people; of one that was held or failed, why.
    pub says: String,
    /// The model that came of it.
    pub model: Option<ModelId>,
}

/// Where a tuning stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuningState {
    /// It goes on.
    #[default]
    Running,
    /// A model came of it that is asked from now on.
    Approved,
    /// A model came of it that is not: a gate holds it.
    Held,
    /// No model came of it; it is tried again, from where it was.
    Failed,
}

/// The numbers of a decision whether to refresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weighed {
    /// Whether a run begins now.
    pub refresh: bool,
    /// Whether the language model is due for fine-tuning.
    pub finetune: bool,
    /// Days since the live version was counted.
    pub age: f64,
    /// By how much a table counted now would have had a higher hit rate; none where that could not be measured.
    pub loss: Option<f64>,
    /// What that is worth.
    pub gain: f64,
    /// What a refresh costs.
    pub cost: f64,
}

/// One line of the refresher's input. Ending a run is ending the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum RunCommand {
    /// Start a run now.
    Run {
        /// The run's name, chosen by who asks, so that its events can be told from others.
        run: String,
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_json_object() {
        let command = RunCommand::Run { run: "r1".into(), who: "ada".into(), why: "a\nb".into() };
        let line = serde_json::to_string(&command).unwrap();
        assert_eq!(line, r#"{"command":"run","run":"r1","who":"ada","why":"a\nb"}"#);
        assert_eq!(serde_json::from_str::<RunCommand>(&line).unwrap(), command);
    }

    #[test]
    fn an_event_of_another_build_is_still_understood() {
        let event: RunEvent = serde_json::from_str(r#"{"state":"nothing_to_do","version":7,"later":1}"#).unwrap();
        assert_eq!((event.state, event.version), (RunState::NothingToDo, Some(VersionId(7))));
    }
}
