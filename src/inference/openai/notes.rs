//! Batches that are paid for, noted in `batches.json` of the state directory, so that a run that was killed loses none.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::http::Failure;
use crate::files;

/// What may have answers that are not known to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Noted {
    /// A batch, by its id.
    Batch(String),
    /// A file of questions: whether a batch was made of it is not known.
    File {
        /// Its id.
        file: String,
    },
}

/// All that is noted.
pub(super) struct Notes(PathBuf);

impl Notes {
    pub(super) fn new(state: &Path) -> Self {
        Self(state.join("batches.json"))
    }

    pub(super) fn all(&self) -> Result<Vec<Noted>, Failure> {
        match std::fs::read(&self.0) {
            Ok(notes) => serde_json::from_slice(&notes).map_err(|error| self.failed("read", error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    /// Notes one thing instead of another, or beside all others.
    pub(super) fn note(&self, new: Noted, instead: Option<&Noted>) -> Result<(), Failure> {
        let mut noted = self.all()?;
        noted.retain(|one| Some(one) != instead && *one != new);
        noted.push(new);
        self.write(&noted)
    }

    pub(super) fn forget(&self, old: &Noted) -> Result<(), Failure> {
        let mut noted = self.all()?;
        noted.retain(|one| one != old);
        self.write(&noted)
    }

    fn write(&self, noted: &[Noted]) -> Result<(), Failure> {
        // Strings always make JSON.
        let bytes = serde_json::to_vec(noted).unwrap_or_default();
        files::put(&self.0, &bytes).map_err(|error| self.failed("written", error))
    }

    fn failed(&self, doing: &str, error: impl std::fmt::Display) -> Failure {
        let notes = self.0.display();
        Failure::Endpoint(format!("{notes}, which notes the batches under way, cannot be {doing}: {error}"))
    }
}
