//! Why a version predicts what it predicts: for each key what was counted, retrieved, asked and answered, and the row
//! that came of it. Written once, beside the table; read one key at a time, without an index in memory between calls.
//!
//! ```text
//! header   magic "SEGUEXPL", format u32 = 1, k u32
//! blocks   explanations as JSON lines, about 64 KiB a block, each block compressed (zlib, RFC 1950)
//! index    one entry a block: first key 4 x u32, its length u32, block length u32, block offset u64, checksum u64
//! footer   index offset u64, entries u64, index checksum u64, magic "SEGUEXPL"
//! ```
//!
//! Little-endian; checksums are xxh3. Keys are in order: the longest first, then by cluster ids.

mod read;
mod write;

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::ids::ClusterId;
use crate::table::Candidate;
use crate::table::format::MAX_K;

pub use write::ExplainWriter;

pub(super) const FILE: &str = "explain.segue";

const MAGIC: [u8; 8] = *b"SEGUEXPL";
const FORMAT: u32 = 1;
const HEADER: u64 = 16;
const FOOTER: u64 = 32;
const ENTRY: usize = 40;

/// Bytes after which a block is closed.
const BLOCK: usize = 64 << 10;
/// The longest block that is read, unpacked: one that was just not closed, and one more explanation.
const MAX_BLOCK: usize = 4 << 20;
/// The longest index that is read: room for more keys than a table can have.
const MAX_INDEX: u64 = 256 << 20;
/// Bytes kept of a prompt, of an answer, and of how it was parsed.
const MAX_TEXT: usize = 64 << 10;
/// Successors kept, the most frequent ones.
const MAX_SUCCESSORS: usize = 100;

/// Why one key's row is what it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Explanation {
    /// The key, oldest cluster first.
    pub key: Vec<ClusterId>,
    /// How often the key was followed by anything in the window.
    pub seen: u64,
    /// What followed it, the most frequent first, ties by id; at most 100 are kept.
    pub successors: Vec<Successor>,
    /// What was retrieved (section 2.3): shown to the language model, or, without one, the predictions themselves.
    pub retrieved: Vec<ClusterId>,
    /// The rendered prompt, where a language model was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How that was understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parsed: Option<String>,
    /// The row that the table holds, best first; empty where the key was left to back-off.
    pub row: Vec<Candidate>,
}

/// A cluster that followed a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Successor {
    /// The cluster.
    pub cluster: ClusterId,
    /// How often.
    pub count: u64,
}

impl Explanation {
    /// Cuts what is kept in part only.
    fn bounded(mut self) -> Self {
        self.successors.truncate(MAX_SUCCESSORS);
        for text in [&mut self.prompt, &mut self.answer, &mut self.parsed].into_iter().flatten() {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
        }
        self
    }
}

/// A key's place in the file.
fn order(key: &[ClusterId]) -> (Reverse<usize>, &[ClusterId]) {
    (Reverse(key.len()), key)
}

/// What the index says of one block.
#[derive(Clone, Copy, Debug)]
struct Entry {
    first: [u32; MAX_K],
    key_len: u32,
    len: u32,
    offset: u64,
    checksum: u64,
}

impl Entry {
    fn encode(self) -> Vec<u8> {
        let words = self.first.into_iter().chain([self.key_len, self.len]).flat_map(u32::to_le_bytes);
        words.chain([self.offset, self.checksum].into_iter().flat_map(u64::to_le_bytes)).collect()
    }

    fn decode(bytes: &[u8; ENTRY]) -> Self {
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let first = std::array::from_fn(|at| word(4 * at));
        Self { first, key_len: word(16), len: word(20), offset: long(24), checksum: long(32) }
    }

    fn first(&self) -> Vec<ClusterId> {
        self.first.iter().take(self.key_len as usize).copied().map(ClusterId).collect()
    }
}
