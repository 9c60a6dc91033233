//! What is known of a job, on the disk before anything else can be lost.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;
use crate::finetune::error::FinetuneError;
use crate::finetune::standing::read;
use crate::inference::openai::{Job, JobEvent, JobStep};

pub(super) const NOTE_FILE: &str = "job.json";
/// Events that are kept to be read.
const LAST_EVENTS: usize = 20;

/// `job.json` in a run's directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// Names the endpoint, the base model, the samples and the settings.
    pub run: String,
    /// The endpoint.
    pub url: String,
    /// The base model there.
    pub base: String,
    /// Tokens that all epochs learn from, estimated.
    pub tokens: u64,
    /// Their price.
    pub cost: f64,
    /// The uploaded samples.
    pub training_file: Option<String>,
    /// The uploaded samples that tell how well it goes.
    pub validation_file: Option<String>,
    /// Whether a job may have been made: from just before it is asked for.
    pub ordered: bool,
    /// The job as last told.
    pub job: Option<Job>,
    /// The last events, the oldest first.
    pub events: Vec<JobEvent>,
    /// How the loss fell.
    pub curve: Vec<JobStep>,
}

impl Note {
    pub(in crate::finetune) fn read(dir: &Path) -> Result<Option<Self>, FinetuneError> {
        read(dir, NOTE_FILE)
    }

    /// Whole or not at all, and on the disk when this returns.
    pub(super) fn write(&self, dir: &Path) -> Result<(), FinetuneError> {
        let path = dir.join(NOTE_FILE);
        let write = || files::put(&path, &serde_json::to_vec_pretty(self)?);
        write().map_err(|source| FinetuneError::Io { doing: "writing", path: path.clone(), source })
    }

    /// The training file of a job that may have been made, and was not told of.
    pub(super) fn sought(&self) -> Option<&str> {
        self.training_file.as_deref().filter(|_| self.ordered && self.job.is_none())
    }

    pub(super) fn add(&mut self, events: Vec<JobEvent>) {
        self.curve.extend(events.iter().filter_map(JobEvent::step));
        self.events.extend(events);
        self.events.drain(..self.events.len().saturating_sub(LAST_EVENTS));
    }
}
