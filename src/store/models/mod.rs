//! The language models that were tuned, and which of them is asked: the newest approved one.
//!
//! A model is a folder that is never written again, but for judgements, which are added beside it like a version's.
//! What a training run writes of itself is kept as it is: the store reads none of it.

mod error;
mod state;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::channel::check_note;
use super::durable::{if_present, numbers, read_json, sync_dir, write_json};
use super::error::{StoreError, failed};
use super::judgement::write_first;
use super::version::{is_taken, sync_files};
use super::{Judgement, Store};
use crate::files::unique_path;
use crate::ids::ModelId;

pub use error::ModelError;
pub use state::ModelState;

const MANIFEST_FILE: &str = "model.json";
const ADAPTER_FILE: &str = "adapter.gguf";

/// What answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// An adapter, kept in the store, of a base model, which is not.
    Adapter {
        /// Names the base model: `gguf:` and its SHA-256.
        base: String,
        /// The xxh3 of the adapter's file, 128 bits in hexadecimal digits.
        xxh3: String,
    },
    /// A model that an endpoint knows by this name.
    Remote {
        /// The name.
        model: String,
    },
}

/// A model's description: `model.json`, never changed once the model has its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelManifest {
    /// The model's number.
    pub model: ModelId,
    /// When it was added.
    pub created: DateTime<Utc>,
    /// Who added it.
    pub creator: String,
    /// Why.
    pub reason: String,
    /// What answers.
    pub weights: Weights,
    /// How it was trained: samples, settings, the loss over time.
    pub training: serde_json::Value,
}

/// A model that is to be added.
#[derive(Clone, Debug)]
pub struct NewModel<'m> {
    /// What answers.
    pub weights: NewWeights<'m>,
    /// How it was trained.
    pub training: serde_json::Value,
    /// What the gates found; without it the model is a candidate.
    pub judgement: Option<Judgement<ModelState>>,
    /// Who adds it.
    pub creator: String,
    /// Why.
    pub reason: String,
}

/// What is to answer.
#[derive(Clone, Copy, Debug)]
pub enum NewWeights<'m> {
    /// A base model's name, and the bytes of an adapter of it.
    Adapter(&'m str, &'m [u8]),
    /// A model that an endpoint knows by this name.
    Remote(&'m str),
}

impl Store {
    /// Adds a model durably and claims the next number.
    pub fn add_model(&self, new: &NewModel<'_>) -> Result<ModelManifest, StoreError> {
        check_note("creator", &new.creator)?;
        check_note("reason", &new.reason)?;
        // gc sweeps drafts that nobody locks: not while this is held.
        let _shared = self.lock(FlockOperation::LockShared)?;
        let models = self.models_dir();
        std::fs::create_dir_all(&models).map_err(failed("making the folder", &models))?;
        sync_dir(&self.root)?;
        let draft = unique_path(&self.drafts_dir(), "model");
        std::fs::create_dir(&draft).map_err(failed("making the folder", &draft))?;
        let added = self.fill(&draft, new).and_then(|manifest| self.claim_model(&draft, manifest));
        if added.is_err() {
            // What stays is swept by gc.
            let _ = std::fs::remove_dir_all(&draft);
        }
        added
    }

    fn fill(&self, draft: &Path, new: &NewModel<'_>) -> Result<ModelManifest, StoreError> {
        let weights = match new.weights {
            NewWeights::Remote(model) => Weights::Remote { model: model.to_owned() },
            NewWeights::Adapter(base, bytes) => {
                let path = draft.join(ADAPTER_FILE);
                let write = || std::fs::File::create(&path)?.write_all(bytes);
                write().map_err(failed("writing", &path))?;
                Weights::Adapter { base: base.to_owned(), xxh3: xxh3(bytes) }
            }
        };
        sync_files(draft)?;
        if let Some(judgement) = &new.judgement {
            write_first(draft, judgement)?;
        }
        let (creator, reason, training) = (new.creator.clone(), new.reason.clone(), new.training.clone());
        Ok(ModelManifest { model: self.next_model()?, created: Utc::now(), creator, reason, weights, training })
    }

    fn claim_model(&self, draft: &Path, mut manifest: ModelManifest) -> Result<ModelManifest, StoreError> {
        loop {
            write_json(&draft.join(MANIFEST_FILE), &manifest)?;
            sync_dir(draft)?;
            let dir = self.model_dir(manifest.model);
            match std::fs::rename(draft, &dir) {
                Err(error) if is_taken(error.kind()) => manifest.model = self.next_model()?,
                renamed => {
                    renamed.map_err(failed("claiming", &dir))?;
                    sync_dir(&self.models_dir())?;
                    return Ok(manifest);
                }
            }
        }
    }

    /// Every model, newest first.
    pub fn models(&self) -> Result<Vec<ModelId>, StoreError> {
        let numbers = if_present(numbers(&self.models_dir(), "", "a model's folder"))?.unwrap_or_default();
        Ok(numbers.into_iter().rev().map(ModelId).collect())
    }

    /// A model's description.
    pub fn model(&self, model: ModelId) -> Result<ModelManifest, StoreError> {
        let path = self.model_dir(model).join(MANIFEST_FILE);
        let found: Option<ModelManifest> = read_json(&path)?;
        let found = found.ok_or_else(|| StoreError::Model(ModelError::Unknown { model, path: self.models_dir() }))?;
        if found.model != model {
            return Err(StoreError::Damaged { path, problem: "it describes another model".into() });
        }
        Ok(found)
    }

    /// Where a model's adapter lies, shown to be the one that was added; `None` where it has none.
    pub fn adapter(&self, manifest: &ModelManifest) -> Result<Option<PathBuf>, StoreError> {
        let Weights::Adapter { xxh3: stated, .. } = &manifest.weights else { return Ok(None) };
        let (model, path) = (manifest.model, self.model_dir(manifest.model).join(ADAPTER_FILE));
        match std::fs::read(&path) {
            Ok(bytes) if xxh3(&bytes) == *stated => Ok(Some(path)),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("reading", &path)(error)),
            _ => Err(StoreError::Model(ModelError::Exchanged { model, path })),
        }
    }

    fn model_dir(&self, model: ModelId) -> PathBuf {
        self.models_dir().join(model.0.to_string())
    }

    fn next_model(&self) -> Result<ModelId, StoreError> {
        let last = self.models()?.first().copied().unwrap_or(ModelId(0));
        let used_up = || StoreError::Foreign { path: self.model_dir(last), expected: "a number that can grow" };
        last.0.checked_add(1).map(ModelId).ok_or_else(used_up)
    }
}

fn xxh3(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
