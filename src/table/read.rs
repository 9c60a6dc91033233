//! Reading a table from any bytes.

use super::archive::{self, Contents};
use super::error::OpenError;
use super::format::{self, Header, LINE, SectionEntry};
use super::lineage::Lineage;
use super::prefetch::prefetch;
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
    index_bits: u32,
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
        prove(section(bytes.as_ref(), &archive), &archive)?;
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
        self.index.get(cluster.0)
    }

    /// The id at a dense index that this table gave.
    ///
    /// # Panics
    /// On an index of no cluster.
    #[inline]
    pub fn cluster_id(&self, index: u32) -> ClusterId {
        self.contents.taxonomy.clusters()[index as usize].id
    }

    /// Clusters by popularity, the most popular first (their scores are shares of sequences).
    #[inline]
    pub fn popular(&self) -> &[Entry] {
        &self.contents.popular
    }

    /// Begins to read the row of a key, so that a [`find`](Self::find) soon after waits less, or not at all.
    #[inline]
    pub fn prefetch(&self, key: &[u32]) {
        if let Some(place) = self.place(key) {
            prefetch(place.slots, place.at);
            prefetch(place.slots, place.at + self.layout.stride);
        }
    }

    /// The row of a key of 1 to k dense indices, oldest first.
    #[inline]
    pub fn find(&self, key: &[u32]) -> Option<Row<'_>> {
        let Place { slots, packed, hash, at } = self.place(key)?;
        // Slots are in order of hash, so the first larger one ends the search.
        for slot in slots.get(at..)?.chunks_exact(self.layout.stride) {
            let found = self.layout.key(slot);
            // An empty slot's key reads as 0, which is a key too.
            let is_it = found == packed;
            if is_it && !self.layout.is_empty(slot) {
                return Some(Row { slot, layout: self.layout, clusters: self.header.clusters });
            }
            if is_it || self.layout.is_empty(slot) || format::hash(found) > hash {
                return None;
            }
        }
        None
    }

    #[inline]
    fn place(&self, key: &[u32]) -> Option<Place<'_>> {
        let section = self.rows.get(key.len().checked_sub(1)?)?;
        let packed = format::pack(key, self.index_bits);
        let hash = format::hash(packed);
        let at = format::home(hash, section.homes) as usize * self.layout.stride;
        Some(Place { slots: self::section(self.bytes.as_ref(), section), packed, hash, at })
    }

    /// Every stored key of `key_len` clusters with its row, in the file's order.
    pub fn iter(&self, key_len: usize) -> impl Iterator<Item = (Vec<ClusterId>, Row<'_>)> {
        let section = key_len.checked_sub(1).and_then(|at| self.rows.get(at));
        let slots = section.map_or(&[][..], |entry| self::section(self.bytes.as_ref(), entry));
        let clusters = self.contents.taxonomy.clusters();
        slots.chunks_exact(self.layout.stride).filter(|slot| !self.layout.is_empty(slot)).filter_map(move |slot| {
            let (indices, _) = format::unpack(self.layout.key(slot), key_len, self.index_bits);
            let key = indices[..key_len].iter().map(|&index| Some(clusters.get(index as usize)?.id));
            Some((key.collect::<Option<_>>()?, Row { slot, layout: self.layout, clusters: self.header.clusters }))
        })
    }
}

/// Where the search for a key begins.
struct Place<'t> {
    slots: &'t [u8],
    packed: u128,
    hash: u64,
    /// The first byte of the key's home.
    at: usize,
}

/// One key's candidates, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Row<'t> {
    slot: &'t [u8],
    layout: Layout,
    clusters: u32,
}

impl<'t> Row<'t> {
    /// Best first.
    #[inline]
    pub fn entries(self) -> impl Iterator<Item = Entry> + 't {
        let entries = (0..self.layout.width).map_while(move |at| self.layout.entry(self.slot, at));
        // A verified table never has one out of range; an unverified one must not lead a reader astray.
        entries.filter(move |entry| entry.index < self.clusters)
    }
}

/// A section's bytes; the directory was checked against the file's length when the table was opened.
pub(super) fn section<'b>(bytes: &'b [u8], entry: &SectionEntry) -> &'b [u8] {
    &bytes[entry.offset as usize..][..entry.len as usize]
}

/// Whether a section's bytes are those that were written.
pub(super) fn prove(bytes: &[u8], entry: &SectionEntry) -> Result<(), OpenError> {
    let found = format::section_checksum(bytes);
    if found == entry.checksum {
        return Ok(());
    }
    Err(OpenError::Checksum { part: format::section_name(entry.key_len), stated: entry.checksum, found })
}

/// From ids to dense indices. Ids that are nearly dense, as they mostly are, take one array read.
#[derive(Debug)]
enum ClusterIndex {
    Direct(Box<[u32]>),
    Sorted(Box<[u32]>),
}

/// Marks an id of no cluster.
const ABSENT: u32 = u32::MAX;

impl ClusterIndex {
    fn new(taxonomy: &Taxonomy) -> Self {
        let clusters = taxonomy.clusters();
        let highest = clusters.last().map_or(0, |cluster| cluster.id.0 as usize);
        if highest > 8 * clusters.len() + LINE {
            return Self::Sorted(clusters.iter().map(|cluster| cluster.id.0).collect());
        }
        let mut direct = vec![ABSENT; highest + 1];
        for (index, cluster) in clusters.iter().enumerate() {
            direct[cluster.id.0 as usize] = index as u32;
        }
        Self::Direct(direct.into())
    }

    #[inline]
    fn get(&self, id: u32) -> Option<u32> {
        match self {
            Self::Direct(indices) => indices.get(id as usize).copied().filter(|&index| index != ABSENT),
            Self::Sorted(ids) => ids.binary_search(&id).ok().map(|index| index as u32),
        }
    }
}
