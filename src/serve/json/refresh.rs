//! The refresher as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::run::{self, RunEvent, RunState, TuningState};

/// Who asks for a change of the refresher, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"who": "ada", "why": "yesterday's log has arrived"}))]
pub(in crate::serve) struct RefreshRequest {
    /// Who asks.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why.
    #[serde(default)]
    pub(in crate::serve) why: String,
}

/// The run that was asked for, or ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct RefreshResponse {
    /// Names the run in events and logs.
    pub(in crate::serve) run: String,
}

/// The refresher's state.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct RefreshEvent {
    /// When it became so.
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// Empty while no run has been started.
    run: String,
    /// `idle`, `running`, `published`, `held`, `nothing_to_do`, `failed`, `cancelled` or `crashed`.
    #[schema(value_type = String, example = "running")]
    state: RunState,
    /// The step under way, or the one that failed.
    step: String,
    /// Progress within the step.
    done: u64,
    /// Of so many; 0 means unknown.
    total: u64,
    /// What happened, for people.
    message: String,
    /// The version that a finished run published or held.
    version: Option<u64>,
    /// When the schedule starts the next run.
    #[schema(value_type = Option<String>, format = DateTime)]
    next: Option<DateTime<Utc>>,
    /// Where the tuning of a model stands, which goes on beside the runs, or how the last one ended.
    tuning: Option<Tuning>,
}

/// How the tuning of a language model goes.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Tuning {
    /// `running`, `approved`, `held` or `failed`.
    #[schema(value_type = String, example = "running")]
    state: TuningState,
    /// Its last line, for people; of one that was held or failed, why.
    says: String,
    /// The model that came of it.
    model: Option<u64>,
}

impl From<run::Tuning> for Tuning {
    fn from(run::Tuning { state, says, model }: run::Tuning) -> Self {
        Self { state, says, model: model.map(|model| model.0) }
    }
}

impl From<RunEvent> for RefreshEvent {
    fn from(event: RunEvent) -> Self {
        Self {
            at: event.at,
            run: event.run,
            state: event.state,
            step: event.step,
            done: event.done,
            total: event.total,
            message: event.message,
            version: event.version.map(|version| version.0),
            next: event.next,
            tuning: event.tuning.map(Tuning::from),
        }
    }
}
