//! What an endpoint tells of a fine-tuning job.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job as the endpoint tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name there.
    pub id: String,
    /// How far it is.
    pub status: JobStatus,
    /// The file that it learns from.
    pub training_file: String,
    /// The tuned model's name, once it succeeded.
    pub fine_tuned_model: Option<String>,
    /// Tokens that are paid for, once it has ended.
    pub trained_tokens: Option<u64>,
    /// Why it failed.
    pub error: Option<JobProblem>,
}

/// Why a job failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobProblem {
    /// For programs.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Its files are looked at.
    ValidatingFiles,
    /// It waits for its turn.
    Queued,
    /// It learns.
    Running,
    /// Someone paused it.
    Paused,
    /// It ended with a model.
    Succeeded,
    /// It ended without one.
    Failed,
    /// Someone ended it.
    Cancelled,
    /// A word that the API had not when this was written. Whoever follows a job that is paid for goes on.
    #[serde(untagged)]
    Other(String),
}

impl JobStatus {
    /// Whether nothing more comes of it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ValidatingFiles => "validating files",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Other(word) => {
                let word: String = word.chars().take(40).filter(|c| !c.is_control()).collect();
                return write!(f, "`{word}`, which is taken as under way");
            }
        })
    }
}

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEvent {
    /// Its name.
    pub id: String,
    /// Seconds from 1970 on.
    pub created_at: i64,
    /// For people.
    pub message: String,
    /// What a step came to, where it tells of one.
    #[serde(default)]
    pub data: Option<Value>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobStep {
    /// Steps made.
    pub step: u64,
    /// Steps in all, where it is told.
    pub total_steps: Option<u64>,
    /// The loss of the step's samples.
    pub train_loss: Option<f64>,
    /// The loss of validation samples, where the step looked at them.
    pub valid_loss: Option<f64>,
}

impl JobEvent {
    /// What a step came to, where it tells of one.
    pub fn step(&self) -> Option<JobStep> {
        serde_json::from_value(self.data.clone()?).ok()
    }
}
