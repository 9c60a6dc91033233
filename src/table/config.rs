//! `[table]`.

use std::path::PathBuf;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::build::{BuildLimits, Shape};
use super::error::BuildError;

/// What is built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The longest key, 1 to 4 clusters (the paper's live system: 2).
    pub k: usize,
    /// Candidates a row.
    pub width: usize,
    /// Keys seen fewer times than this are left to back-off.
    pub min_count: MinCount,
    /// Rows held in memory while building; what exceeds them is spilled.
    pub memory: ByteSize,
    /// Where rows are spilled to. Default: the system's temporary directory.
    pub spill_dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { k: 2, width: 8, min_count: MinCount::AnyLength(1), memory: ByteSize::gib(1), spill_dir: None }
    }
}

impl Config {
    /// Refuses a layout that the format does not have.
    pub fn check(&self) -> Result<(), BuildError> {
        self.shape().check()
    }

    /// The table's layout.
    pub fn shape(&self) -> Shape {
        Shape { k: self.k, width: self.width }
    }

    /// What building it may take.
    pub fn limits(&self) -> BuildLimits {
        let memory = usize::try_from(self.memory.as_u64()).unwrap_or(usize::MAX);
        BuildLimits { memory, spill_dir: self.spill_dir.clone().unwrap_or_else(std::env::temp_dir) }
    }
}

/// The support a key needs for a row of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MinCount {
    /// The same for every key length.
    AnyLength(u64),
    /// By key length, one cluster first; the last one holds for longer keys.
    ByLength(Vec<u64>),
}

impl MinCount {
    /// What a key of `key_len` clusters needs.
    pub fn of(&self, key_len: usize) -> u64 {
        match self {
            Self::AnyLength(count) => *count,
            Self::ByLength(counts) => counts.get(key_len - 1).or(counts.last()).copied().unwrap_or(1),
        }
    }
}
