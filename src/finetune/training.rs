//! What a tuned model says of itself.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::FinetuneError;
use super::samples::Samples;
use crate::files;
use crate::inference::prompt::Template;
use crate::taxonomy::TaxonomyHash;

/// `training.json` beside what came out: where a model comes from, whoever trained it, and how that was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training<How> {
    /// When it was trained.
    pub created: DateTime<Utc>,
    /// Names the base model: `gguf:` and its SHA-256, or as an endpoint does.
    pub base: String,
    /// The xxh3 of the samples' manifest.
    pub samples: String,
    /// Where the log ended that they were drawn from.
    pub samples_to: DateTime<Utc>,
    /// Samples that were learnt from.
    pub learnt: usize,
    /// Clusters in a key.
    pub k: usize,
    /// Names the cluster set.
    pub taxonomy_hash: TaxonomyHash,
    /// What the prompts show.
    pub prompt: Template,
    /// Names their text.
    pub prompt_hash: String,
    /// Settings, steps, the loss over time.
    #[serde(flatten)]
    pub how: How,
}

/// Where the log ended that a model of the registry was trained on, as it says of itself; `None` where it does not.
pub fn samples_to(training: &serde_json::Value) -> Option<DateTime<Utc>> {
    DateTime::deserialize(training.get("samples_to")?).ok()
}

impl<How: Serialize> Training<How> {
    pub(super) fn of(samples: &Samples, base: String, how: How) -> Self {
        let manifest = &samples.manifest;
        Self {
            created: Utc::now(),
            base,
            samples: samples.xxh3.clone(),
            samples_to: manifest.to,
            learnt: samples.train.len(),
            k: manifest.k,
            taxonomy_hash: manifest.taxonomy_hash,
            prompt: manifest.config.prompt,
            prompt_hash: manifest.prompt_hash.clone(),
            how,
        }
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), FinetuneError> {
        let path = dir.join(super::TRAINING_FILE);
        let write = || files::put(&path, &serde_json::to_vec_pretty(self)?);
        write().map_err(|source| FinetuneError::Io { doing: "writing", path: path.clone(), source })
    }
}
