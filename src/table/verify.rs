//! The one thorough check of a table, made before it may serve.

use super::error::VerifyError;
use super::format::{self, SectionEntry};
use super::read::{Table, prove, section};
use super::row::Source;

impl<B: AsRef<[u8]>> Table<B> {
    /// Proves every byte: checksums, order of slots, probes that end, keys and candidates in range, totals. Reads the
    /// whole file once.
    pub fn verify(&self) -> Result<(), VerifyError> {
        // Header, directory and archive were proven when the table was opened.
        self.rows.iter().try_for_each(|entry| prove(section(self.bytes.as_ref(), entry), entry))?;
        // A checksum proves the bytes, not their meaning: a builder's fault, or a forger's, stops here.
        self.rows.iter().try_for_each(|entry| self.verify_rows(entry))
    }

    fn verify_rows(&self, entry: &SectionEntry) -> Result<(), VerifyError> {
        let mut scan = Scan { after_empty: 0, last: None, rows: 0, longest_probe: 0 };
        let slots = section(self.bytes.as_ref(), entry).chunks_exact(entry.stride);
        for (at, slot) in (0..).zip(slots) {
            self.verify_slot(entry, at, slot, &mut scan).map_err(|problem| VerifyError::Slot {
                section: format::section_name(entry.key_len),
                slot: at,
                problem,
            })?;
        }
        let total = |what, stated, found| match stated == found {
            true => Ok(()),
            false => Err(VerifyError::Total { section: format::section_name(entry.key_len), what, stated, found }),
        };
        total("rows", entry.rows, scan.rows)?;
        total("slots in its longest probe", u64::from(entry.longest_probe), scan.longest_probe)
    }

    fn verify_slot(&self, entry: &SectionEntry, at: u64, slot: &[u8], scan: &mut Scan) -> Result<(), &'static str> {
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
        self.verify_entries(slot, &key[..entry.key_len])
    }

    fn verify_key(&self, key: u128, len: usize) -> Result<[u32; format::MAX_K], &'static str> {
        let bits = format::index_bits(self.header.k, self.header.key_bytes);
        let (indices, rest) = format::unpack(key, len, bits);
        let known = indices[..len].iter().all(|&index| index < self.header.clusters);
        let distinct = (1..len).all(|at| !indices[..at].contains(&indices[at]));
        if rest == 0 && known && distinct { Ok(indices) } else { Err("its key names no clusters, or one twice") }
    }

    fn verify_entries(&self, slot: &[u8], key: &[u32]) -> Result<(), &'static str> {
        let mut seen = Vec::with_capacity(self.header.width);
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
struct Scan {
    /// The first slot behind the last empty one: a row whose home lies before it cannot be reached.
    after_empty: u64,
    last: Option<(u64, u128)>,
    rows: u64,
    longest_probe: u64,
}
