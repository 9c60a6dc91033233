//! Reading a table from any bytes.

use super::archive::{self, Contents};
use super::error::OpenError;
use super::format::{self, Header, SectionEntry};
use super::index::ClusterIndex;
use super::lineage::Lineage;
use super::place::Row;
use super::row::{Entry, Layout};
use crate::ids::ClusterId;
use crate::taxonomy::Taxonomy;

/// A table over any bytes that never change: a memory map when serving, a `Vec<u8>` in a test.
///
/// [`Table::open`] checks the header, the directory and the archive, not the rows; [`Table::verify`] checks everything.
/// Lookups check nothing again, and on a table that was not verified they may answer nonsense, but never panic.
#[derive(Debug)]
pub struct Table<B> {
    pub(super) bytes: B,
    pub(super) header: Header,
    pub(super) layout: Layout,
    /// Row sections by key length - 1.
    pub(super) rows: Vec<SectionEntry>,
    contents: Contents,
    index: ClusterIndex,
    /// Bits that one dense index takes in a key.
    pub(super) index_bits: u32,
    checksum: u64,
}

/// What the directory says of one key length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionSummary {
    /// Clusters in each key.
    pub key_len: usize,
    /// Keys stored.
    pub rows: u64,
    /// Slots, empty ones included.
    pub slots: u64,
    /// Bytes a slot.
    pub stride: usize,
    /// The farthest row from its home, in slots.
    pub longest_probe: u32,
}

impl<B: AsRef<[u8]>> Table<B> {
    /// Opens a table: cheap, and no proof of the rows. See [`Table::verify`].
    pub fn open(bytes: B) -> Result<Self, OpenError> {
        let (header, mut rows, checksum) = format::decode(bytes.as_ref())?;
        let archive = rows.pop().ok_or(OpenError::NotATable)?;
        rows.reverse();
        // Before it is read: damage is best told as such.
        prove(format::section_checksum(section(bytes.as_ref(), &archive)), &archive)?;
        let contents = archive::decode(section(bytes.as_ref(), &archive), header.clusters)?;
        let index = ClusterIndex::new(&contents.taxonomy);
        let layout = Layout::new(header.key_bytes, header.width);
        let index_bits = format::index_bits(header.k, header.key_bytes);
        Ok(Self { bytes, header, layout, rows, contents, index, index_bits, checksum })
    }

    /// The longest key.
    pub fn k(&self) -> usize {
        self.header.k
    }

    /// The most candidates a row can hold, and so the highest limit of a lookup.
    pub fn width(&self) -> usize {
        self.header.width
    }

    /// Where the table comes from.
    pub fn lineage(&self) -> &Lineage {
        &self.contents.lineage
    }

    /// The clusters it speaks of.
    pub fn taxonomy(&self) -> &Taxonomy {
        &self.contents.taxonomy
    }

    /// Names the content: the checksum of header and directory, which holds every section's own.
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// The bytes under the table.
    pub fn bytes(&self) -> &B {
        &self.bytes
    }

    /// The key lengths, shortest first.
    pub fn sections(&self) -> impl Iterator<Item = SectionSummary> {
        self.rows.iter().map(|section| SectionSummary {
            key_len: section.key_len,
            rows: section.rows,
            slots: section.len / section.stride as u64,
            stride: section.stride,
            longest_probe: section.longest_probe,
        })
    }

    /// The dense index of a cluster id; `None` for one that the taxonomy lacks.
    #[inline]
    pub fn index_of(&self, cluster: ClusterId) -> Option<u32> {
        self.index.get(cluster)
    }

    /// The id at a dense index that this table gave.
    ///
    /// # Panics
    /// On an index of no cluster.
    #[inline]
    pub fn cluster_id(&self, index: u32) -> ClusterId {
        self.index.id(index)
    }

    /// Clusters by popularity, the most popular first (their scores are shares of sequences).
    #[inline]
    pub fn popular(&self) -> &[Entry] {
        &self.contents.popular
    }

    /// The row of a key of 1 to k dense indices, oldest first.
    #[inline]
    pub fn find(&self, key: &[u32]) -> Option<Row<'_>> {
        self.row(&self.place(key)?)
    }

    /// Every stored key of `key_len` clusters with its row, in the file's order.
    pub fn iter(&self, key_len: usize) -> impl Iterator<Item = (Vec<ClusterId>, Row<'_>)> {
        let section = key_len.checked_sub(1).and_then(|at| self.rows.get(at));
        let slots = section.map_or(&[][..], |entry| self::section(self.bytes.as_ref(), entry));
        let clusters = self.contents.taxonomy.clusters();
        slots.chunks_exact(self.layout.stride).filter(|slot| !self.layout.is_empty(slot)).filter_map(move |slot| {
            let (indices, _) = format::unpack(self.layout.key(slot), key_len, self.index_bits);
            let key = indices[..key_len].iter().map(|&index| Some(clusters.get(index as usize)?.id));
            Some((key.collect::<Option<_>>()?, Row::new(slot, self.layout, self.header.clusters)))
        })
    }
}

/// A section's bytes; the directory was checked against the file's length when the table was opened.
pub(super) fn section<'b>(bytes: &'b [u8], entry: &SectionEntry) -> &'b [u8] {
    &bytes[entry.offset as usize..][..entry.len as usize]
}

/// Whether the checksum found over a section's bytes is that of those written.
pub(super) fn prove(found: u64, entry: &SectionEntry) -> Result<(), OpenError> {
    if found == entry.checksum {
        return Ok(());
    }
    Err(OpenError::Checksum { part: format::section_name(entry.key_len), stated: entry.checksum, found })
}
