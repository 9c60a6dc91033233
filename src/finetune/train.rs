//! From samples to an adapter, in this process.

use std::ops::ControlFlow;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::error::FinetuneError;
use super::samples::{Chat, Samples};
use crate::inference::embedded;
use crate::inference::embedded::tune::{self, Job, Point, Progress, Sample};
use crate::inference::prompt::Template;
use crate::taxonomy::TaxonomyHash;

/// What an adapter says of itself: `training.json` beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// When it was trained.
    pub created: DateTime<Utc>,
    /// Names the base model: `gguf:` and its SHA-256.
    pub base: String,
    /// The xxh3 of the samples' manifest.
    pub samples: String,
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
    /// The settings.
    pub config: tune::Config,
    /// Steps made.
    pub steps: usize,
    /// How the loss fell.
    pub curve: Vec<Point>,
    /// The xxh3 of `adapter.gguf`, 128 bits in hexadecimal digits.
    pub adapter: String,
}

/// Trains an adapter and writes it to `dir` with what it says of itself; blocks meanwhile. What was begun in `dir` goes
/// on from its last checkpoint.
pub fn train(
    samples: &Samples,
    model: &embedded::Config,
    config: &tune::Config,
    dir: &Path,
    told: impl FnMut(&Progress) -> ControlFlow<()> + Send,
) -> Result<Training, FinetuneError> {
    let failed = |doing| {
        let path = dir.to_owned();
        move |source| FinetuneError::Io { doing, path, source }
    };
    std::fs::create_dir_all(dir).map_err(failed("making the folder"))?;
    let taught = |chats: &[Chat]| {
        let sample = |chat: &Chat| Sample { messages: chat.prompt.clone(), answer: chat.answer.clone() };
        chats.iter().map(sample).collect()
    };
    let job = Job {
        model: model.clone(),
        config: config.clone(),
        train: taught(&samples.train),
        validation: taught(&samples.validation),
        checkpoint: dir.join("checkpoint.gguf"),
    };
    let tuned = tune::tune(&job, told)?;
    tuned.write(&dir.join("adapter.gguf"))?;
    let manifest = &samples.manifest;
    let training = Training {
        created: Utc::now(),
        base: format!("gguf:{}", tuned.base),
        samples: samples.xxh3.clone(),
        learnt: samples.train.len(),
        k: manifest.k,
        taxonomy_hash: manifest.taxonomy_hash,
        prompt: manifest.config.prompt,
        prompt_hash: manifest.prompt_hash.clone(),
        config: config.clone(),
        steps: tuned.steps,
        curve: tuned.curve,
        adapter: format!("{:032x}", xxh3_128(&tuned.adapter)),
    };
    let text = serde_json::to_vec_pretty(&training).map_err(|error| failed("encoding")(error.into()))?;
    std::fs::write(dir.join("training.json"), text).map_err(failed("writing training.json in"))?;
    Ok(training)
}
