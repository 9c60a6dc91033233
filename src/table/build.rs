//! Writing a table, front to back, from rows that stream in.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3;

use super::archive;
use super::error::BuildError;
use super::format::{self, Header, LINE, MAX_K, MAX_WIDTH, SectionEntry};
use super::index::ClusterIndex;
use super::lineage::Lineage;
use super::row::{Candidate, Entry, Layout, Source};
use super::sort::RowSorter;
use crate::ids::ClusterId;
use crate::taxonomy::Taxonomy;

/// Homes for each 2 rows: a load of two thirds. Most rows then lie at home or right behind it, within the two lines that
/// are read ahead; a denser table is smaller, and has more rows that wait for the memory.
const HOMES_PER_2_ROWS: u64 = 3;

/// What decides a table's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The longest key, 1 to [`MAX_K`].
    pub k: usize,
    /// Candidates a row, 1 to [`MAX_WIDTH`].
    pub width: usize,
}

impl Shape {
    pub(super) fn check(self) -> Result<(), BuildError> {
        let Self { k, width } = self;
        let fits = (1..=MAX_K).contains(&k) && (1..=MAX_WIDTH).contains(&width);
        if fits { Ok(()) } else { Err(BuildError::Shape { k, width }) }
    }
}

/// What a build may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    /// Bytes of rows held in memory; what exceeds them is spilled. A build takes this and a few MiB, whatever its size.
    pub memory: usize,
    /// Where rows are spilled to: as many bytes as the longest key length's section.
    pub spill_dir: PathBuf,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self { memory: 1 << 30, spill_dir: std::env::temp_dir() }
    }
}

/// Builds a table from rows pushed in any order within a key length, the longest keys first.
///
/// ```
/// use std::io::Cursor;
/// use segue::ids::ClusterId;
/// use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, Table, TableBuilder};
/// use segue::taxonomy::Taxonomy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let [chess, go, shogi] = [ClusterId(10), ClusterId(20), ClusterId(30)];
/// let taxonomy = Taxonomy::new([(chess, "chess"), (go, "go"), (shogi, "shogi")])?;
/// let mut file = Cursor::new(Vec::new());
/// let mut builder = TableBuilder::new(&mut file, &taxonomy, Shape { k: 2, width: 8 }, BuildLimits::default())?;
/// let next = Candidate { cluster: shogi, score: Score::share(3, 4), source: Source::Retrieved };
/// builder.push(&[chess, go], &[next])?;
/// builder.finish(&Lineage::default(), &[])?;
///
/// let table = Table::open(file.into_inner())?;
/// table.verify()?;
/// let row = table.find(&[0, 1]).ok_or("chess, go was pushed")?;
/// assert_eq!(table.cluster_id(row.entries().next().ok_or("one candidate was pushed")?.index), shogi);
/// # Ok(()) }
/// ```
pub struct TableBuilder<'t, W: Write + Seek> {
    out: BufWriter<W>,
    taxonomy: &'t Taxonomy,
    index: ClusterIndex,
    shape: Shape,
    layout: Layout,
    limits: BuildLimits,
    /// Finished row sections, longest keys first.
    sections: Vec<SectionEntry>,
    sorter: RowSorter,
    /// The key length that `sorter` collects.
    key_len: usize,
    written: u64,
    entries: Vec<Entry>,
}

impl<'t, W: Write + Seek> TableBuilder<'t, W> {
    /// Starts a table at the start of `out`, which must be empty.
    pub fn new(out: W, taxonomy: &'t Taxonomy, shape: Shape, limits: BuildLimits) -> Result<Self, BuildError> {
        shape.check()?;
        let Shape { k, width } = shape;
        let index = ClusterIndex::new(taxonomy);
        let layout = Layout::new(format::key_bytes(k, index.clusters()), width);
        let sorter = RowSorter::new(layout, limits.memory, limits.spill_dir.clone());
        let mut builder = Self {
            out: BufWriter::with_capacity(1 << 20, out),
            taxonomy,
            index,
            shape,
            layout,
            limits,
            sections: Vec::with_capacity(k),
            sorter,
            key_len: k,
            written: 0,
            entries: Vec::with_capacity(width),
        };
        builder.reserve_front()?;
        Ok(builder)
    }

    /// Adds the row of `key`, its clusters oldest first: 1 to `width` candidates, best first, distinct, none of them in
    /// the key and none `popular`.
    pub fn push(&mut self, key: &[ClusterId], candidates: &[Candidate]) -> Result<(), BuildError> {
        self.turn_to(key)?;
        let mut indices = [0; MAX_K];
        for (index, &cluster) in indices.iter_mut().zip(key) {
            *index = self.index_of(cluster, key)?;
        }
        let indices = &indices[..key.len()];
        self.fill_entries(key, indices, candidates)?;
        let packed = format::pack(indices, format::index_bits(self.shape.k, self.layout.key_bytes));
        let slot = self.sorter.push(packed)?;
        self.layout.write(slot, packed, &self.entries);
        Ok(())
    }

    /// Writes what is left, the archive and the header; returns the file's length. The caller syncs it.
    pub fn finish(mut self, lineage: &Lineage, popular: &[Candidate]) -> Result<u64, BuildError> {
        while self.key_len > 0 {
            self.finish_section()?;
        }
        let archive = archive::encode(lineage, self.taxonomy, &self.popular_entries(popular)?)?;
        let checksum = format::section_checksum(&archive);
        let len = archive.len() as u64;
        self.sections.push(SectionEntry { offset: self.written, len, checksum, ..SectionEntry::default() });
        self.write(&archive)?;
        self.write_front()?;
        Ok(self.written)
    }

    /// Makes `key`'s length the one being collected.
    fn turn_to(&mut self, key: &[ClusterId]) -> Result<(), BuildError> {
        if key.is_empty() || key.len() > self.shape.k {
            return Err(BuildError::KeyLength { key: key.to_vec(), k: self.shape.k });
        }
        if key.len() > self.key_len {
            return Err(BuildError::Order { key: key.to_vec(), after: self.key_len });
        }
        while key.len() < self.key_len {
            self.finish_section()?;
        }
        Ok(())
    }

    fn index_of(&self, cluster: ClusterId, key: &[ClusterId]) -> Result<u32, BuildError> {
        self.index.get(cluster).ok_or_else(|| BuildError::UnknownCluster { cluster, key: key.to_vec() })
    }

    fn fill_entries(&mut self, key: &[ClusterId], indices: &[u32], row: &[Candidate]) -> Result<(), BuildError> {
        let wrong = |problem| Err(BuildError::Row { key: key.to_vec(), problem });
        if (1..indices.len()).any(|at| indices[..at].contains(&indices[at])) {
            return wrong("the key names a cluster twice");
        }
        if row.is_empty() || row.len() > self.shape.width {
            return wrong("it needs at least one candidate, and at most as many as the table is wide");
        }
        self.entries.clear();
        for candidate in row {
            let index = self.index_of(candidate.cluster, key)?;
            if candidate.source == Source::Popular {
                return wrong("popular clusters have a row of their own");
            }
            if indices.contains(&index) || self.entries.iter().any(|entry| entry.index == index) {
                return wrong("a candidate stands in the key, or twice in the row");
            }
            self.entries.push(Entry { index, score: candidate.score, source: candidate.source });
        }
        Ok(())
    }

    fn popular_entries(&self, popular: &[Candidate]) -> Result<Vec<Entry>, BuildError> {
        let mut seen = vec![false; self.index.clusters() as usize];
        let mut entries = Vec::with_capacity(popular.len());
        for candidate in popular {
            let index = self.index_of(candidate.cluster, &[])?;
            let repeated = std::mem::replace(&mut seen[index as usize], true);
            if repeated || candidate.source != Source::Popular {
                let problem = "popular clusters are named once, with the source `popular`";
                return Err(BuildError::Row { key: Vec::new(), problem });
            }
            entries.push(Entry { index, score: candidate.score, source: candidate.source });
        }
        Ok(entries)
    }

    fn finish_section(&mut self) -> Result<(), BuildError> {
        let next = RowSorter::new(self.layout, self.limits.memory, self.limits.spill_dir.clone());
        let sorter = std::mem::replace(&mut self.sorter, next);
        let mut writer = SectionWriter::new(&mut self.out, self.layout.stride, sorter.total());
        let mut last = None;
        sorter.drain(|hash, key, row| {
            if last.replace(key) == Some(key) {
                let bits = format::index_bits(self.shape.k, self.layout.key_bytes);
                let (indices, _) = format::unpack(key, self.key_len, bits);
                let ids = indices[..self.key_len].iter().map(|&index| self.index.id(index));
                return Err(BuildError::DuplicateKey(ids.collect()));
            }
            writer.place(hash, row)
        })?;
        let section = writer.finish(self.key_len, self.written)?;
        self.written += section.len;
        self.sections.push(section);
        self.key_len -= 1;
        Ok(())
    }

    /// The front is written last, over these zeros: a build that is cut off leaves no file that opens.
    fn reserve_front(&mut self) -> Result<(), BuildError> {
        self.write(&vec![0; LINE * (2 + self.shape.k)])
    }

    fn write_front(&mut self) -> Result<(), BuildError> {
        let header = Header {
            k: self.shape.k,
            width: self.shape.width,
            key_bytes: self.layout.key_bytes,
            clusters: self.index.clusters(),
            file_len: self.written,
        };
        let front = format::encode(&header, &self.sections);
        self.out.seek(SeekFrom::Start(0)).map_err(writing)?;
        self.out.write_all(&front).map_err(writing)?;
        self.out.flush().map_err(writing)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        self.out.write_all(bytes).map_err(writing)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// Writes one section's slots in order, each row at its home or right behind the row before it.
struct SectionWriter<'w, W> {
    out: &'w mut W,
    empty: Vec<u8>,
    rows: u64,
    homes: u64,
    slots: u64,
    longest_probe: u32,
    checksum: Xxh3,
}

impl<'w, W: Write> SectionWriter<'w, W> {
    fn new(out: &'w mut W, stride: usize, rows: u64) -> Self {
        let homes = (rows * HOMES_PER_2_ROWS).div_ceil(2);
        Self { out, empty: vec![0; stride], rows, homes, slots: 0, longest_probe: 0, checksum: Xxh3::new() }
    }

    fn place(&mut self, hash: u64, row: &[u8]) -> Result<(), BuildError> {
        let home = format::home(hash, self.homes);
        self.pad_to(home)?;
        let probe = u32::try_from(self.slots - home).unwrap_or(u32::MAX);
        self.longest_probe = self.longest_probe.max(probe);
        self.slot(row)
    }

    fn pad_to(&mut self, slots: u64) -> Result<(), BuildError> {
        while self.slots < slots {
            self.checksum.update(&self.empty);
            self.out.write_all(&self.empty).map_err(writing)?;
            self.slots += 1;
        }
        Ok(())
    }

    fn slot(&mut self, row: &[u8]) -> Result<(), BuildError> {
        self.checksum.update(row);
        self.slots += 1;
        self.out.write_all(row).map_err(writing)
    }

    fn finish(mut self, key_len: usize, offset: u64) -> Result<SectionEntry, BuildError> {
        self.pad_to(self.homes)?;
        let stride = self.empty.len();
        Ok(SectionEntry {
            key_len,
            offset,
            len: self.slots * stride as u64,
            rows: self.rows,
            homes: self.homes,
            stride,
            longest_probe: self.longest_probe,
            checksum: self.checksum.digest(),
        })
    }
}

fn writing(source: std::io::Error) -> BuildError {
    BuildError::Io { doing: "writing the table", source }
}
