//! Writing explanations, front to back.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use xxhash_rust::xxh3::xxh3_64;

use super::{BLOCK, ENTRY, Entry, Explanation, FILE, FORMAT, HEADER, MAGIC, order};
use crate::ids::ClusterId;
use crate::store::error::failed;
use crate::store::{Draft, StoreError};
use crate::table::format::MAX_K;

/// Takes explanations in the order in which keys are counted: the longest keys first, then by cluster ids. One block,
/// and 40 bytes for each that was written, are held in memory.
pub struct ExplainWriter {
    out: BufWriter<File>,
    path: PathBuf,
    block: Vec<u8>,
    first: Vec<ClusterId>,
    last: Vec<ClusterId>,
    index: Vec<u8>,
    written: u64,
}

impl Draft {
    /// Starts the explanations beside the table, of keys of at most `k` clusters.
    pub fn explain(&self, k: usize) -> Result<ExplainWriter, StoreError> {
        let path = self.path().join(FILE);
        let file = File::create_new(&path).map_err(failed("making the file", &path))?;
        let (block, first, last, index) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut writer = ExplainWriter { out: BufWriter::new(file), path, block, first, last, index, written: 0 };
        let numbers = [FORMAT, k as u32].into_iter().flat_map(u32::to_le_bytes);
        writer.write(&MAGIC.into_iter().chain(numbers).collect::<Vec<_>>())?;
        debug_assert_eq!(writer.written, HEADER);
        Ok(writer)
    }
}

impl ExplainWriter {
    /// Adds one key's explanation; what is too long in it is cut. A key that does not come after the one before is
    /// refused.
    pub fn push(&mut self, explanation: Explanation) -> Result<(), StoreError> {
        let key = explanation.key.clone();
        let wrong = |problem: String| StoreError::Explanation { key: key.clone(), problem };
        if key.is_empty() || key.len() > MAX_K {
            return Err(wrong(format!("has {} clusters: give it 1 to {MAX_K}", key.len())));
        }
        if !self.last.is_empty() && order(&key) <= order(&self.last) {
            return Err(wrong(format!("does not come after {:?}: write the longest keys first, in order", self.last)));
        }
        if self.block.is_empty() {
            self.first.clone_from(&key);
        }
        serde_json::to_writer(&mut self.block, &explanation.bounded()).map_err(|error| wrong(error.to_string()))?;
        self.block.push(b'\n');
        self.last = key;
        if self.block.len() >= BLOCK { self.close() } else { Ok(()) }
    }

    /// Writes what is left, and the index. Without it the file is not one.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.close()?;
        let index = std::mem::take(&mut self.index);
        let footer = [self.written, (index.len() / ENTRY) as u64, xxh3_64(&index)];
        self.write(&index)?;
        self.write(&footer.into_iter().flat_map(u64::to_le_bytes).chain(MAGIC).collect::<Vec<_>>())?;
        self.out.flush().map_err(failed("writing", &self.path))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = self.packed().map_err(failed("packing a block of", &self.path))?;
        let first = std::array::from_fn(|at| self.first.get(at).map_or(0, |cluster| cluster.0));
        let (key_len, len) = (self.first.len() as u32, block.len() as u32);
        let entry = Entry { first, key_len, len, offset: self.written, checksum: xxh3_64(&block) };
        self.index.extend(entry.encode());
        self.write(&block)
    }

    /// The block, compressed, and an empty one after it.
    fn packed(&mut self) -> std::io::Result<Vec<u8>> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&self.block)?;
        self.block.clear();
        packer.finish()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.out.write_all(bytes).map_err(failed("writing", &self.path))?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
