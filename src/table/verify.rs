//! The one thorough check of a table, made before it may serve.

use xxhash_rust::xxh3::Xxh3;

use super::error::VerifyError;
use super::format::{self, SectionEntry};
use super::read::{Table, prove, section};
use super::row::Source;

/// Slots that the checksum and the checks take in turns: few enough to stay in the nearest caches.
const BLOCK: usize = 256;

impl<B: AsRef<[u8]>> Table<B> {
    /// Proves every byte: checksums, order of slots, probes that end, keys and candidates in range, totals. Reads the
    /// whole file once.
    pub fn verify(&self) -> Result<(), VerifyError> {
        // Header, directory and archive were proven when the table was opened.
        self.rows.iter().try_for_each(|entry| self.verify_section(entry))
    }

    /// A checksum proves the bytes, not their meaning: a builder's fault, or a forger's, is found slot by slot. Both are
    /// looked at block by block, so that the memory is read once; damage is told as such, not as what it made of a slot.
    fn verify_section(&self, entry: &SectionEntry) -> Result<(), VerifyError> {
        let mut checksum = Xxh3::new();
        let mut scan = Scan::default();
        let mut meaning = Ok(());
        for block in section(self.bytes.as_ref(), entry).chunks(BLOCK * entry.stride) {
            checksum.update(block);
            meaning = meaning.and_then(|()| self.verify_slots(entry, block, &mut scan));
        }
        prove(checksum.digest(), entry)?;
        meaning?;
        let total = |what, stated, found| {
            let wrong = || VerifyError::Total { section: format::section_name(entry.key_len), what, stated, found };
            (stated == found).then_some(()).ok_or_else(wrong)
        };
        total("rows", entry.rows, scan.rows)?;
        total("slots in its longest probe", u64::from(entry.longest_probe), scan.longest_probe)
    }

    fn verify_slots(&self, entry: &SectionEntry, block: &[u8], scan: &mut Scan) -> Result<(), VerifyError> {
        block.chunks_exact(entry.stride).try_for_each(|slot| {
            self.verify_slot(entry, slot, scan).map_err(|problem| VerifyError::Slot {
                section: format::section_name(entry.key_len),
                slot: scan.slots,
                problem,
            })?;
            scan.slots += 1;
            Ok(())
        })
    }

    fn verify_slot(&self, entry: &SectionEntry, slot: &[u8], scan: &mut Scan) -> Result<(), &'static str> {
        let at = scan.slots;
        if self.layout.is_empty(slot) {
            scan.after_empty = at + 1;
            return if slot.iter().all(|&byte| byte == 0) { Ok(()) } else { Err("it is empty, but not all zero") };
        }
        let key = self.layout.key(slot);
        let place = (format::hash(key), key);
        if scan.last.replace(place) >= Some(place) {
            return Err("its key is not in order");
        }
        let home = format::home(place.0, entry.homes);
        if at < home || home < scan.after_empty {
            return Err("a lookup of its key would not reach it");
        }
        scan.rows += 1;
        scan.longest_probe = scan.longest_probe.max(at - home);
        let key = self.verify_key(key, entry.key_len)?;
        self.verify_entries(slot, &key[..entry.key_len], &mut scan.seen)
    }

    fn verify_key(&self, key: u128, len: usize) -> Result<[u32; format::MAX_K], &'static str> {
        let bits = format::index_bits(self.header.k, self.header.key_bytes);
        let (indices, rest) = format::unpack(key, len, bits);
        let known = indices[..len].iter().all(|&index| index < self.header.clusters);
        let distinct = (1..len).all(|at| !indices[..at].contains(&indices[at]));
        if rest == 0 && known && distinct { Ok(indices) } else { Err("its key names no clusters, or one twice") }
    }

    fn verify_entries(&self, slot: &[u8], key: &[u32], seen: &mut Vec<u32>) -> Result<(), &'static str> {
        seen.clear();
        while let Some(entry) = self.layout.entry(slot, seen.len()) {
            if entry.index >= self.header.clusters || entry.source == Source::Popular {
                return Err("a candidate is no cluster, or of a source that rows never have");
            }
            if key.contains(&entry.index) || seen.contains(&entry.index) {
                return Err("a candidate stands in its key, or twice in its row");
            }
            seen.push(entry.index);
        }
        let layout = &self.layout;
        let (indices, scores) = (layout.key_bytes + 4 * seen.len(), layout.scores() + 2 * seen.len());
        let rest =
            [&slot[indices..layout.scores()], &slot[scores..layout.sources()], &slot[layout.sources() + seen.len()..]];
        let zero = rest.iter().all(|bytes| bytes.iter().all(|&byte| byte == 0));
        if zero { Ok(()) } else { Err("bytes behind its last candidate are not zero") }
    }
}

/// What the slots so far have shown.
#[derive(Default)]
struct Scan {
    slots: u64,
    /// The first slot behind the last empty one: a row whose home lies before it cannot be reached.
    after_empty: u64,
    last: Option<(u64, u128)>,
    rows: u64,
    longest_probe: u64,
    /// The clusters of a row, kept here so that no row allocates.
    seen: Vec<u32>,
}
