//! Finding one key's explanation: the index is read, and one block.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use flate2::read::ZlibDecoder;
use xxhash_rust::xxh3::xxh3_64;

use super::{ENTRY, Entry, Explanation, FILE, FOOTER, FORMAT, HEADER, MAGIC, MAX_BLOCK, MAX_INDEX, order};
use crate::ids::{ClusterId, VersionId};
use crate::store::durable::{if_present, open_file};
use crate::store::error::failed;
use crate::store::{Store, StoreError};
use crate::table::format::MAX_K;

impl Store {
    /// Why a version answers `history` (oldest first) as it does: the explanation of the key that a lookup would find
    /// first, the latest k distinct clusters of the history or, where nobody was seen to have met those, fewer. `None`
    /// where no key is left: such a history is answered from popular.
    pub fn explain(&self, version: VersionId, history: &[ClusterId]) -> Result<Option<Explanation>, StoreError> {
        let reader = self.explanations_of(version)?;
        let latest = latest(history, reader.k);
        for start in 0..latest.len() {
            if let Some(found) = reader.find(&latest[start..])? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Every explanation of a version, the longest keys first, then by cluster ids; a block is in memory at a time.
    pub fn explanations(
        &self,
        version: VersionId,
    ) -> Result<impl Iterator<Item = Result<Explanation, StoreError>>, StoreError> {
        let reader = self.explanations_of(version)?;
        let blocks = (0..reader.index.len()).map(move |at| reader.block(reader.index[at]));
        Ok(blocks.flat_map(|block| match block {
            Ok(explanations) => explanations.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        }))
    }

    fn explanations_of(&self, version: VersionId) -> Result<Reader, StoreError> {
        // A version that is not there has nothing beside it.
        self.manifest(version)?;
        let path = self.version_dir(version).join(FILE);
        let file = if_present(open_file(&path))?.ok_or(StoreError::NoExplanations { version })?;
        Reader::open(file, path)
    }
}

/// The latest k distinct clusters, oldest first.
fn latest(history: &[ClusterId], k: usize) -> Vec<ClusterId> {
    let mut latest: Vec<ClusterId> = Vec::with_capacity(k);
    for &cluster in history.iter().rev() {
        if latest.len() == k {
            break;
        }
        if !latest.contains(&cluster) {
            latest.push(cluster);
        }
    }
    latest.reverse();
    latest
}

struct Reader {
    file: File,
    path: PathBuf,
    k: usize,
    index: Vec<Entry>,
    /// Where the blocks end.
    end: u64,
}

impl Reader {
    fn open(file: File, path: PathBuf) -> Result<Self, StoreError> {
        let mut reader = Self { file, path, k: 0, index: Vec::new(), end: 0 };
        let len = reader.file.metadata().map_err(failed("reading", &reader.path))?.len();
        if len < HEADER + FOOTER {
            return Err(reader.damaged("it is too short"));
        }
        let (header, footer) = (reader.read(0, HEADER as usize)?, reader.read(len - FOOTER, FOOTER as usize)?);
        if header[..8] != MAGIC || footer[24..] != MAGIC {
            return Err(reader.damaged("it holds no explanations, or not to its end"));
        }
        if word(&header, 8) != FORMAT {
            return Err(reader.damaged("it is of a format that this build does not read"));
        }
        let [end, entries, checksum] = [0, 8, 16].map(|at| long(&footer, at));
        let bytes = entries.checked_mul(ENTRY as u64).filter(|&bytes| bytes <= MAX_INDEX);
        let bytes = bytes.filter(|&bytes| end >= HEADER && end.checked_add(bytes) == Some(len - FOOTER));
        let bytes = bytes.ok_or_else(|| reader.damaged("its index does not fit"))?;
        let index = reader.read(end, bytes as usize)?;
        if xxh3_64(&index) != checksum {
            return Err(reader.damaged("its index is not as it was written"));
        }
        reader.index = index.as_chunks().0.iter().map(Entry::decode).collect();
        (reader.k, reader.end) = (word(&header, 12) as usize, end);
        if reader.k > MAX_K { Err(reader.damaged("its keys are too long")) } else { Ok(reader) }
    }

    fn find(&self, key: &[ClusterId]) -> Result<Option<Explanation>, StoreError> {
        let after = self.index.partition_point(|entry| order(&entry.first()) <= order(key));
        let Some(entry) = after.checked_sub(1).map(|at| self.index[at]) else { return Ok(None) };
        Ok(self.block(entry)?.into_iter().find(|explanation| explanation.key == key))
    }

    fn block(&self, entry: Entry) -> Result<Vec<Explanation>, StoreError> {
        let fits = entry.offset.checked_add(u64::from(entry.len)).is_some_and(|end| end <= self.end);
        if !fits || entry.len as usize > MAX_BLOCK {
            return Err(self.damaged("a block does not fit"));
        }
        let block = self.read(entry.offset, entry.len as usize)?;
        if xxh3_64(&block) != entry.checksum {
            return Err(self.damaged("a block is not as it was written"));
        }
        let mut lines = Vec::new();
        let unpacked = ZlibDecoder::new(block.as_slice()).take(MAX_BLOCK as u64).read_to_end(&mut lines);
        unpacked.map_err(failed("unpacking a block of", &self.path))?;
        let explanations = serde_json::Deserializer::from_slice(&lines).into_iter::<Explanation>();
        explanations.map(|explanation| explanation.map_err(|error| self.damaged(&error.to_string()))).collect()
    }

    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset).map_err(failed("reading", &self.path))?;
        Ok(bytes)
    }

    fn damaged(&self, problem: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), problem: problem.to_owned() }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}
