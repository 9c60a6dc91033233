//! Where a key's row is looked for, and what is found there.

use super::format;
use super::prefetch::prefetch;
use super::read::{Table, section};
use super::row::{Entry, Layout};

/// Where the search for a key's row begins in the table that gave it. Small, so that many can wait for the memory.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    packed: u128,
    hash: u64,
    /// The first byte of the key's home in the section.
    at: usize,
    section: usize,
}

impl<B: AsRef<[u8]>> Table<B> {
    /// Where the row of a key of 1 to k dense indices is looked for, oldest first; `None` for other lengths.
    #[inline]
    pub fn place(&self, key: &[u32]) -> Option<Place> {
        let section = key.len().checked_sub(1)?;
        let homes = self.rows.get(section)?.homes;
        let packed = format::pack(key, self.index_bits);
        let hash = format::hash(packed);
        let at = format::home(hash, homes) as usize * self.layout.stride;
        Some(Place { packed, hash, at, section })
    }

    /// Begins to read what [`Table::row`] reads first, so that it waits less, or not at all, if it comes soon after.
    #[inline]
    pub fn prefetch(&self, place: &Place) {
        let slots = self.slots(place);
        prefetch(slots, place.at);
        prefetch(slots, place.at + self.layout.stride);
    }

    /// The row at a place that this table gave, if there is one.
    #[inline]
    pub fn row(&self, place: &Place) -> Option<Row<'_>> {
        let (slots, mut at) = (self.slots(place), place.at);
        // Slots are in order of hash, so the first larger one ends the search.
        while let Some(slot) = slots.get(at..at + self.layout.stride) {
            let found = self.layout.key(slot);
            // An empty slot's key reads as 0, which is a key too.
            let is_it = found == place.packed;
            if is_it && !self.layout.is_empty(slot) {
                return Some(Row::new(slot, self.layout, self.header.clusters));
            }
            if is_it || self.layout.is_empty(slot) || format::hash(found) > place.hash {
                return None;
            }
            at += self.layout.stride;
        }
        None
    }

    #[inline]
    fn slots(&self, place: &Place) -> &[u8] {
        self.rows.get(place.section).map_or(&[], |entry| section(self.bytes.as_ref(), entry))
    }
}

/// One key's candidates, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Row<'t> {
    slot: &'t [u8],
    layout: Layout,
    clusters: u32,
}

impl<'t> Row<'t> {
    #[inline]
    pub(super) fn new(slot: &'t [u8], layout: Layout, clusters: u32) -> Self {
        Self { slot, layout, clusters }
    }

    /// Best first.
    #[inline]
    pub fn entries(self) -> impl Iterator<Item = Entry> + 't {
        let entries = (0..self.layout.width).map_while(move |at| self.layout.entry(self.slot, at));
        // A verified table never has one out of range; an unverified one must not lead a reader astray.
        entries.filter(move |entry| entry.index < self.clusters)
    }
}
