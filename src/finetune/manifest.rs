//! What a set of samples says of itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::ids::ClusterId;
use crate::interactions::HeldOut;
use crate::retrieval;
use crate::taxonomy::TaxonomyHash;

/// `manifest.json` beside the files; it is written last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// When they were drawn.
    pub created: DateTime<Utc>,
    /// The window's start.
    pub from: DateTime<Utc>,
    /// Its end, exclusive.
    pub to: DateTime<Utc>,
    /// Clusters in a key.
    pub k: usize,
    /// `[finetune]`, seed included.
    pub config: Config,
    /// What prompts show of recent behaviour.
    pub retrieval: retrieval::Config,
    /// Who is held out.
    pub held_out: HeldOut,
    /// Names the cluster set.
    pub taxonomy_hash: TaxonomyHash,
    /// Names the prompt's text.
    pub prompt_hash: String,
    /// Where the log lay, as `interactions.path` says.
    pub log: String,
    /// Names its files.
    pub log_files: String,
    /// `train.jsonl`, `validation.jsonl`, `test.jsonl`.
    pub splits: BTreeMap<String, SplitManifest>,
}

impl Manifest {
    /// The manifest in what a model of the registry says of its training; `None` where it tells none, or none that this
    /// build can read.
    pub fn of_training(training: &serde_json::Value) -> Option<Self> {
        Self::deserialize(training.get("manifest")?).ok()
    }
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitManifest {
    /// Lines.
    pub samples: usize,
    /// The xxh3 of its bytes, 128 bits in hexadecimal digits.
    pub xxh3: String,
    /// Lines by answer.
    pub labels: BTreeMap<ClusterId, u64>,
    /// Novel steps of its users in the window by answer, of those that enough users made, before anything was drawn.
    pub seen: BTreeMap<ClusterId, u64>,
}
