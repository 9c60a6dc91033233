//! Which units of the day are logged already: a table of fixed size that many threads read and write without a lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use bytesize::ByteSize;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Each slot holds the print of one exposure, or 0. An exposure has one slot, which a later one may take over: then the
/// first is forgotten and may be logged again.
///
/// A print is 64 bits of a hash whose other bits choose the slot, under a seed that no caller knows: that a new
/// exposure meets its own print in its slot, and would be taken for known, happens once in 2^64.
pub(super) struct Seen {
    slots: Box<[AtomicU64]>,
    seed: u64,
}

/// The place of one exposure.
pub(super) struct Mark<'s> {
    slot: &'s AtomicU64,
    print: u64,
}

impl Seen {
    /// Takes up to so much memory.
    pub(super) fn within(memory: ByteSize) -> Self {
        let fitting = usize::try_from(memory.0 / 8).unwrap_or(usize::MAX).max(1);
        // The largest power of two that fits.
        let slots = 1_usize << fitting.ilog2();
        Self { slots: (0..slots).map(|_| AtomicU64::new(0)).collect(), seed: RandomState::new().hash_one(slots) }
    }

    pub(super) fn mark(&self, (deal, arm): (u64, usize), day: i64, unit: &str) -> Mark<'_> {
        let mut seed = self.seed;
        for part in [deal, arm as u64, day.cast_unsigned()] {
            seed = (seed ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
        }
        let hash = xxh3_128_with_seed(unit.as_bytes(), seed);
        let (print, rest) = ((hash >> 64) as u64, hash as u64);
        Mark { slot: &self.slots[rest as usize & (self.slots.len() - 1)], print: print.max(1) }
    }
}

impl Mark<'_> {
    pub(super) fn is_known(&self) -> bool {
        // Relaxed: the print is all there is to see, and a thread that sees it late logs the exposure again.
        self.slot.load(Ordering::Relaxed) == self.print
    }

    pub(super) fn keep(&self) {
        self.slot.store(self.print, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_known_until_another_takes_its_slot() {
        let seen = Seen::within(ByteSize(100));
        assert_eq!(seen.slots.len(), 8);
        let mark = |unit| seen.mark((0, 1), 7, unit);
        assert!(!mark("a").is_known());
        mark("a").keep();
        assert!(mark("a").is_known());
        for other in [seen.mark((0, 0), 7, "a"), seen.mark((1, 1), 7, "a"), seen.mark((0, 1), 8, "a")] {
            assert!(!other.is_known(), "another arm, deal or day");
        }
        (0..100).for_each(|unit| seen.mark((0, 0), 7, &unit.to_string()).keep());
        assert!(!mark("a").is_known(), "forgotten, in bounded memory");
        assert_eq!(Seen::within(ByteSize(0)).slots.len(), 1);
    }
}
