//! What runs beside the swaps.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use segue::store::live::Live;

use crate::world::Reader;

/// A wait that is worth a line of its own.
const LONG: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(crate) struct Probes {
    done: AtomicBool,
    waits: Mutex<Waits>,
    pub(crate) lookups: AtomicU64,
}

/// What happened to the mapping thread.
#[derive(Clone, Default)]
pub(crate) struct Waits {
    /// The longest from call to return.
    pub(crate) whole: Duration,
    /// The longest without the time in which it could have gone on, had a processor been free: other work on the
    /// machine takes that, not a swap.
    pub(crate) blocked: Duration,
    /// When each long one began, and how long it was blocked.
    pub(crate) long: Vec<(Instant, Duration)>,
}

impl Probes {
    pub(crate) fn stop(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    pub(crate) fn map_and_unmap(&self) {
        while !self.done.load(Ordering::Relaxed) {
            let (queued, began) = (queued_so_far(), Instant::now());
            drop(memmap2::MmapMut::map_anon(1 << 16));
            let whole = began.elapsed();
            self.record(began, whole, whole.saturating_sub(queued_so_far() - queued));
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn record(&self, began: Instant, whole: Duration, blocked: Duration) {
        let mut waits = self.waits.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        waits.whole = waits.whole.max(whole);
        waits.blocked = waits.blocked.max(blocked);
        if blocked >= LONG {
            waits.long.push((began, blocked));
        }
    }

    pub(crate) fn look_up(&self, live: &Live) {
        let mut reader = Reader::default();
        while !self.done.load(Ordering::Relaxed) {
            let found = reader.look_up(live);
            self.lookups.fetch_add(u64::from(found), Ordering::Relaxed);
        }
    }

    pub(crate) fn take_waits(&self) -> Waits {
        std::mem::take(&mut self.waits.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

/// How long this thread has waited for a processor so far; zero where the kernel does not tell.
fn queued_so_far() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').nth(1).and_then(|queued| queued.parse().ok()).unwrap_or(0))
}
