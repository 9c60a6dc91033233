//! Rows in order of (hash, key) within a memory bound: sorted runs in memory, spilled to unnamed files, merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

use super::error::BuildError;
use super::format;
use super::prefetch::prefetch;
use super::row::Layout;
use crate::files::unnamed;

/// Rows asked of the memory before they are needed: sorted, they lie anywhere.
const AHEAD: usize = 16;

/// Order of rows in a section: hash, then key.
type Place = (u64, u128);

/// Takes rows in any order and gives them back sorted.
pub(super) struct RowSorter {
    layout: Layout,
    spill_dir: PathBuf,
    /// How many rows fit the bound, their places included.
    capacity: usize,
    memory: usize,
    rows: Vec<u8>,
    /// Each row's hash, and which row it is.
    places: Vec<(u64, u32)>,
    runs: Vec<File>,
    total: u64,
}

impl RowSorter {
    pub(super) fn new(layout: Layout, memory: usize, spill_dir: PathBuf) -> Self {
        let each = layout.stride + size_of::<(u64, u32)>();
        let capacity = (memory / each).clamp(1, u32::MAX as usize);
        let (rows, places, runs) = (Vec::new(), Vec::new(), Vec::new());
        Self { layout, spill_dir, capacity, memory, rows, places, runs, total: 0 }
    }

    /// Makes room for a row and returns its zeroed slot.
    pub(super) fn push(&mut self, key: u128) -> Result<&mut [u8], BuildError> {
        if self.places.len() == self.capacity {
            self.spill()?;
        }
        let at = self.places.len();
        self.places.push((format::hash(key), at as u32));
        self.total += 1;
        let start = self.rows.len();
        self.rows.resize(start + self.layout.stride, 0);
        Ok(&mut self.rows[start..])
    }

    /// Rows pushed so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    fn spill(&mut self) -> Result<(), BuildError> {
        self.sort();
        let run = self.write_run().map_err(|source| BuildError::Io { doing: "spilling rows to disk", source })?;
        self.runs.push(run);
        self.rows.clear();
        self.places.clear();
        Ok(())
    }

    fn sort(&mut self) {
        let key = |at| self.layout.key(slot(&self.rows, at, self.layout.stride));
        // Hashes of keys that fit 64 bits differ: a key is hardly ever looked at.
        self.places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))));
    }

    fn write_run(&self) -> io::Result<File> {
        let mut writer = BufWriter::with_capacity(1 << 20, unnamed(&self.spill_dir)?);
        self.sorted().try_for_each(|(_, row)| writer.write_all(row))?;
        let mut file = writer.into_inner().map_err(|error| error.into_error())?;
        file.rewind()?;
        Ok(file)
    }

    /// The rows in memory, in order once they are sorted, with their hashes.
    fn sorted(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let stride = self.layout.stride;
        self.places.iter().enumerate().map(move |(nth, &(hash, at))| {
            if let Some(&(_, ahead)) = self.places.get(nth + AHEAD) {
                prefetch(&self.rows, ahead as usize * stride);
            }
            (hash, slot(&self.rows, at, stride))
        })
    }

    /// Hands every row to `take`, in order, with its hash and key.
    pub(super) fn drain(
        mut self,
        mut take: impl FnMut(u64, u128, &[u8]) -> Result<(), BuildError>,
    ) -> Result<(), BuildError> {
        if self.runs.is_empty() {
            self.sort();
            return self.sorted().try_for_each(|(hash, row)| take(hash, self.layout.key(row), row));
        }
        self.spill()?;
        (self.rows, self.places) = (Vec::new(), Vec::new());
        self.merge(take)
    }

    fn merge(self, mut take: impl FnMut(u64, u128, &[u8]) -> Result<(), BuildError>) -> Result<(), BuildError> {
        let buffer = (self.memory / self.runs.len()).clamp(1 << 12, 1 << 20);
        let runs = self.runs.into_iter().map(|file| Run::new(file, buffer, self.layout));
        let mut runs: Vec<Run> = runs.collect();
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (at, run) in runs.iter_mut().enumerate() {
            heads.extend(run.advance()?.map(|place| Reverse((place, at))));
        }
        while let Some(mut head) = heads.peek_mut() {
            let Reverse(((hash, key), at)) = *head;
            take(hash, key, &runs[at].row)?;
            match runs[at].advance()? {
                Some(place) => *head = Reverse((place, at)),
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(())
    }
}

/// One sorted run, with the row that comes next.
struct Run {
    reader: BufReader<File>,
    layout: Layout,
    row: Vec<u8>,
}

impl Run {
    fn new(file: File, buffer: usize, layout: Layout) -> Self {
        Self { reader: BufReader::with_capacity(buffer, file), layout, row: vec![0; layout.stride] }
    }

    fn advance(&mut self) -> Result<Option<Place>, BuildError> {
        match self.reader.read_exact(&mut self.row) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(source) => return Err(BuildError::Io { doing: "reading spilled rows back", source }),
        }
        let key = self.layout.key(&self.row);
        Ok(Some((format::hash(key), key)))
    }
}

fn slot(rows: &[u8], at: u32, stride: usize) -> &[u8] {
    &rows[at as usize * stride..][..stride]
}
