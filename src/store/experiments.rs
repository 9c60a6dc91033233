//! Experiments that calls declare: one sequence of changes for all of them, kept like the moves of a channel.
//!
//! What an experiment's settings mean is not the store's to know: it keeps them as they are, and hands every change to
//! come to whoever does know, together with all that was before it.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::channel::check_note;
use super::error::StoreError;
use super::{Note, Store, numbered};

const EXPECTED: &str = "a change of an experiment (<number>.json)";

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentAction {
    /// The experiment runs with these settings from here on.
    Set,
    /// It runs no longer.
    End,
}

impl fmt::Display for ExperimentAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::End => "end",
        })
    }
}

/// One file of the sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentChange {
    /// Counts from 1, over all experiments.
    pub seq: u64,
    /// What was done.
    pub action: ExperimentAction,
    /// The experiment's name.
    pub experiment: String,
    /// All its settings: those it got, or those it had when it was ended.
    pub settings: serde_json::Value,
    /// Who did it.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// A change to be added.
#[derive(Clone, Debug, PartialEq)]
pub struct NewExperimentChange {
    /// What is to be done.
    pub action: ExperimentAction,
    /// The experiment's name.
    pub experiment: String,
    /// Its settings.
    pub settings: serde_json::Value,
}

impl Store {
    /// Every change after the first `known`, oldest first. A reader that knows some spares itself the listing.
    pub fn experiment_changes(&self, known: u64) -> Result<Vec<ExperimentChange>, StoreError> {
        let dir = self.experiments_dir();
        let head = numbered::head(&dir, known, EXPECTED)?;
        if head < known {
            let problem = format!("it ends at {head}, and went on to {known} before");
            return Err(StoreError::Damaged { path: dir, problem });
        }
        (known + 1..=head).map(|seq| numbered::read(&dir, seq, |found: &ExperimentChange| found.seq)).collect()
    }

    /// Adds the change that `decide` makes of all changes so far, right after them, and asks again as long as others are
    /// quicker. Where `decide` refuses, nothing is added.
    pub fn change_experiments<E: From<StoreError>>(
        &self,
        note: &Note,
        decide: impl Fn(&[ExperimentChange]) -> Result<NewExperimentChange, E>,
    ) -> Result<ExperimentChange, E> {
        check_note("who", &note.who)?;
        check_note("why", &note.why)?;
        // gc sweeps what lies in drafts: not while this is held.
        let _shared = self.lock(FlockOperation::LockShared)?;
        let mut changes = Vec::new();
        loop {
            changes.extend(self.experiment_changes(changes.len() as u64)?);
            let NewExperimentChange { action, experiment, settings } = decide(&changes)?;
            let (seq, who, why) = (changes.len() as u64 + 1, note.who.clone(), note.why.clone());
            let next = ExperimentChange { seq, action, experiment, settings, who, at: Utc::now(), why };
            if numbered::add(&self.experiments_dir(), seq, &next, &self.drafts_dir())? {
                return Ok(next);
            }
        }
    }

    fn experiments_dir(&self) -> PathBuf {
        self.path().join("experiments")
    }
}
