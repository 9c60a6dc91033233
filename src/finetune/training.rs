//! What a tuned model says of itself.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::FinetuneError;
use super::manifest::Manifest;
use super::samples::Samples;
use crate::files;

/// `training.json` beside what came out: where a model comes from, whoever trained it, and how that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training<How> {
    /// When it was trained.
    pub created: DateTime<Utc>,
    /// Names the base model: `gguf:` and its SHA-256, or as an endpoint does.
    pub base: String,
    /// The xxh3 of the samples' manifest, as a file.
    pub samples: String,
    /// Samples that were learnt from.
    pub learnt: usize,
    /// What the samples say of themselves.
    pub manifest: Manifest,
    /// Settings, steps, the loss over time.
    #[serde(flatten)]
    pub how: How,
}

/// The end of the window whose samples a model of the registry learnt from, as it says of its training; `None` where it
/// does not.
pub fn samples_to(training: &serde_json::Value) -> Option<DateTime<Utc>> {
    DateTime::deserialize(training.pointer("/manifest/to")?).ok()
}

impl<How: Serialize> Training<How> {
    pub(super) fn of(samples: &Samples, base: String, how: How) -> Self {
        Self {
            created: Utc::now(),
            base,
            samples: samples.xxh3.clone(),
            learnt: samples.train.len(),
            manifest: samples.manifest.clone(),
            how,
        }
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), FinetuneError> {
        let path = dir.join(super::TRAINING_FILE);
        let write = || files::put(&path, &serde_json::to_vec_pretty(self)?);
        write().map_err(|source| FinetuneError::Io { doing: "writing", path: path.clone(), source })
    }
}
