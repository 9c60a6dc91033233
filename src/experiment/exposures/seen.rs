//! Which units of the day are known already: a table of fixed size that many threads read and write without a lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use bytesize::ByteSize;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Slots of a line: what one read of memory brings.
const WAYS: usize = 8;

/// A slot holds the print of one exposure, or 0. An exposure has sixteen slots, those of two lines; what does not find
/// one of them free is not remembered, and nothing of its day is forgotten for it: so an exposure that was taken once is
/// known for the rest of its day, and counts once. Slots of other days are free.
///
/// A print is 56 bits of a hash under a seed that no caller knows, and 8 of the day: that a new exposure meets its own
/// print, and would be taken for known, happens once in 2^52.
pub(super) struct Seen {
    lines: Box<[Line]>,
    seed: u64,
}

#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU64; WAYS]);

/// What the table says of an exposure.
pub(super) enum Found<'s> {
    /// It was taken before.
    Known,
    /// It is taken now, for the first time.
    New(Taken<'s>),
    /// It was not taken before, and cannot be: its slots are full.
    NoRoom,
}

/// The slot of one exposure.
pub(super) struct Taken<'s> {
    slot: &'s AtomicU64,
    print: u64,
}

impl Taken<'_> {
    /// Forgets it again, as if it had not been met.
    pub(super) fn forget(self) {
        // Should the slot be another's by now, nothing is to be forgotten.
        let _ = self.slot.compare_exchange(self.print, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Seen {
    /// Takes up to so much memory, and 64 bytes at least.
    pub(super) fn within(memory: ByteSize) -> Self {
        let fitting = usize::try_from(memory.0 / size_of::<Line>() as u64).unwrap_or(usize::MAX).max(1);
        // The largest power of two that fits.
        let lines = 1_usize << fitting.ilog2();
        Self { lines: (0..lines).map(|_| Line::default()).collect(), seed: RandomState::new().hash_one(lines) }
    }

    /// Looks up an exposure, and takes it where it is new. One that two threads bring at the same moment may, rarely, be
    /// new to both.
    pub(super) fn find(&self, (deal, arm): (u64, usize), day: i64, unit: &str) -> Found<'_> {
        let mut seed = self.seed;
        for part in [deal, arm as u64, day.cast_unsigned()] {
            seed = (seed ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
        }
        let hash = xxh3_128_with_seed(unit.as_bytes(), seed);
        let (high, low) = ((hash >> 64) as u64, hash as u64);
        let print = (high >> 8).max(1) << 8 | u64::from(day as u8);
        let slots = [low, low >> 32].map(|place| &self.lines[place as usize & (self.lines.len() - 1)].0);
        self.look(slots, print)
    }

    fn look<'s>(&'s self, slots: [&'s [AtomicU64; WAYS]; 2], print: u64) -> Found<'s> {
        // Relaxed: the print is all there is to see.
        let held = || slots.into_iter().flatten().map(|slot| (slot, slot.load(Ordering::Relaxed)));
        // Another exposure may take the slot that was found free; so it is looked again, and there is less room then.
        loop {
            let mut free = None;
            for (slot, held) in held() {
                if held == print {
                    return Found::Known;
                }
                if free.is_none() && is_free(held, print) {
                    free = Some((slot, held));
                }
            }
            let Some((slot, held)) = free else { return Found::NoRoom };
            if slot.compare_exchange(held, print, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Found::New(Taken { slot, print });
            }
        }
    }
}

/// Of no day, or neither of the print's nor of the next: at midnight some threads are ahead of others.
fn is_free(held: u64, print: u64) -> bool {
    held == 0 || (held as u8).wrapping_sub(print as u8) > 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn is_new(seen: &Seen, arm: usize, day: i64, unit: &str) -> Option<bool> {
        match seen.find((0, arm), day, unit) {
            Found::Known => Some(false),
            Found::New(_) => Some(true),
            Found::NoRoom => None,
        }
    }

    proptest! {
        /// Days go on; units and arms come as they like.
        #[test]
        fn it_says_of_each_what_a_set_says_or_that_there_is_no_room(
            met in prop::collection::vec((0..60_usize, 0..3_usize, prop::bool::weighted(0.02)), 1..600),
            memory in 1..2_000_u64,
        ) {
            let (seen, mut known, mut day) = (Seen::within(ByteSize(memory)), HashSet::new(), 20_000);
            for (unit, arm, midnight) in met {
                if midnight {
                    day += 1;
                    known.clear();
                }
                match is_new(&seen, arm, day, &unit.to_string()) {
                    Some(new) => prop_assert_eq!(new, known.insert((unit, arm)), "unit {} of arm {}", unit, arm),
                    None => {
                        prop_assert!(!known.contains(&(unit, arm)), "what was taken is known");
                        prop_assert!(known.len() >= WAYS, "no room among {}", known.len());
                    }
                }
            }
        }
    }

    /// Of 2^16 slots, with `units` met three times each: how many are not remembered.
    fn without_room(units: usize) -> usize {
        let seen = Seen::within(ByteSize(8 << 16));
        let round = || (0..units).filter(|unit| is_new(&seen, unit % 2, 20_000, &unit.to_string()).is_none()).count();
        let first = round();
        assert_eq!([round(), round()], [first; 2], "the same ones each time");
        first
    }

    #[test]
    fn at_half_load_hardly_any_repeats_and_at_full_load_few() {
        let (half, full) = (without_room(1 << 15), without_room(1 << 16));
        // Seen: 6 to 10, and 4,939 to 5,087.
        assert!(half <= 33, "{half} of 32,768: one in a thousand");
        assert!(full <= 5_900, "{full} of 65,536: one in eleven");
    }

    #[test]
    fn threads_that_meet_the_same_units_take_each_once() {
        let seen = Seen::within(ByteSize(1 << 20));
        let units: Vec<String> = (0..20_000).map(|unit| unit.to_string()).collect();
        let taken = || units.iter().filter(|unit| is_new(&seen, 0, 20_000, unit) == Some(true)).count();
        let all = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(taken)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
        });
        assert_eq!(all, units.len());
    }

    #[test]
    fn what_is_forgotten_is_new_again_and_other_days_make_room() {
        let seen = Seen::within(ByteSize(0));
        let Found::New(taken) = seen.find((0, 0), 20_000, "a") else { panic!("new") };
        assert_eq!(is_new(&seen, 0, 20_000, "a"), Some(false));
        taken.forget();
        assert_eq!(is_new(&seen, 0, 20_000, "a"), Some(true));
        let take = |day, count: usize| {
            (0..count).filter(|unit| is_new(&seen, 1, day, &unit.to_string()) == Some(true)).count()
        };
        assert_eq!(take(20_000, 100), WAYS - 1, "a line, and nothing gives way");
        assert_eq!(take(20_001, 100), WAYS);
        assert_eq!(take(20_000, 100), 0, "a thread that is late at midnight makes no room in the new day");
        assert_eq!(take(20_300, 100), WAYS, "after months too");
        assert!(matches!(seen.find((1, 1), 20_300, "0"), Found::NoRoom), "another deal");
    }
}
