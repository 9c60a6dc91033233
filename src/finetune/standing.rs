//! Where a training run stands, told from outside of it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::FinetuneError;
use super::jobs::Note;
#[cfg(feature = "embedded")]
use crate::{files, inference::embedded::tune};

#[cfg(feature = "embedded")]
pub(super) const CHECKPOINT_FILE: &str = "checkpoint.gguf";
const PULSE_FILE: &str = "progress.json";

/// What a run in this process last said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// When.
    pub at: DateTime<Utc>,
    /// Steps made.
    pub step: usize,
    /// Steps that all epochs take.
    pub steps: usize,
    /// The last step's mean loss of an answer token, in nats.
    pub loss: f32,
    /// Tokens learnt from in a second.
    pub tokens_per_second: f64,
    /// At this pace, to the end of all epochs.
    pub left_seconds: u64,
}

impl Pulse {
    #[cfg(feature = "embedded")]
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        files::put(&dir.join(PULSE_FILE), &serde_json::to_vec(self)?)
    }
}

/// A run's directory as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Whether a process is at work there.
    pub running: bool,
    /// What a run of the embedded model last said.
    pub progress: Option<Pulse>,
    /// Its last checkpoint, where this build can read one.
    #[cfg(feature = "embedded")]
    pub checkpoint: Option<tune::Standing>,
    /// The endpoint's job.
    pub job: Option<Note>,
    /// What the tuned model says of itself, once there is one.
    pub training: Option<serde_json::Value>,
}

impl Standing {
    /// Reads a run's directory.
    pub fn read(dir: &Path) -> Result<Self, FinetuneError> {
        if !dir.is_dir() {
            let source = io::Error::new(ErrorKind::NotFound, "nothing was tuned there; name the run's --dir");
            return Err(FinetuneError::Io { doing: "looking into", path: dir.to_owned(), source });
        }
        Ok(Self {
            running: matches!(hold(dir), Err(FinetuneError::Busy(_))),
            progress: read(dir, PULSE_FILE)?,
            #[cfg(feature = "embedded")]
            checkpoint: tune::standing(&dir.join(CHECKPOINT_FILE))?,
            job: Note::read(dir)?,
            training: read(dir, super::TRAINING_FILE)?,
        })
    }
}

/// Makes a run's directory where it is missing, and lets no other process work there until what comes back is dropped.
pub(super) fn hold(dir: &Path) -> Result<File, FinetuneError> {
    let failed = |doing| move |source| FinetuneError::Io { doing, path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed("making the folder"))?;
    let held = File::open(dir).map_err(failed("opening the folder"))?;
    match flock(&held, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(held),
        Err(Errno::WOULDBLOCK) => Err(FinetuneError::Busy(dir.to_owned())),
        Err(error) => Err(failed("locking")(error.into())),
    }
}

/// One of the directory's files, where it is there.
pub(super) fn read<T: DeserializeOwned>(dir: &Path, file: &str) -> Result<Option<T>, FinetuneError> {
    let path = dir.join(file);
    let failed = |source| FinetuneError::Io { doing: "reading", path: path.clone(), source };
    match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.into())),
    }
}
