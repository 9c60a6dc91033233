//! Batches under way, noted in `batches.json` of the state directory, so that a run that was killed fetches what it has
//! paid for.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::http::Failure;

/// The ids of batches whose answers are not known to be kept.
pub(super) struct Notes(PathBuf);

impl Notes {
    pub(super) fn new(state: &Path) -> Self {
        Self(state.join("batches.json"))
    }

    pub(super) fn all(&self) -> Result<Vec<String>, Failure> {
        match std::fs::read(&self.0) {
            Ok(notes) => serde_json::from_slice(&notes).map_err(|error| self.failed("read", error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    pub(super) fn add(&self, id: &str) -> Result<(), Failure> {
        let mut noted = self.all()?;
        noted.push(id.to_owned());
        self.write(&noted)
    }

    pub(super) fn forget(&self, id: &str) -> Result<(), Failure> {
        let mut noted = self.all()?;
        noted.retain(|noted| noted != id);
        self.write(&noted)
    }

    /// Whole or not at all: a kill leaves the notes before or after.
    fn write(&self, noted: &[String]) -> Result<(), Failure> {
        let beside = self.0.with_extension("json.new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&beside)?;
            serde_json::to_writer(&mut file, noted)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.0)
        };
        write().map_err(|error| self.failed("written", error))
    }

    fn failed(&self, doing: &str, error: impl std::fmt::Display) -> Failure {
        let notes = self.0.display();
        Failure::Endpoint(format!("{notes}, which notes the batches under way, cannot be {doing}: {error}"))
    }
}
