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
    /// The longest without the time in which it ran, or would have run, had there been a processor: other work or
    /// another machine on the same host takes that, not a swap.
    pub(crate) blocked: Duration,
    /// Those from call to return that were long.
    pub(crate) long: Vec<Wait>,
}

/// One call to `mmap` and to `munmap`.
#[derive(Clone)]
pub(crate) struct Wait {
    pub(crate) began: Instant,
    pub(crate) whole: Duration,
    /// Wanted a processor, and had none.
    pub(crate) queued: Duration,
    /// Had one.
    pub(crate) ran: Duration,
    /// Had one that the host had given to somebody else, in steps of a hundredth of a second.
    pub(crate) stolen: Duration,
}

impl Wait {
    /// Slept, until a lock was free.
    pub(crate) fn blocked(&self) -> Duration {
        self.whole.saturating_sub(self.queued + self.ran + self.stolen)
    }
}

impl Probes {
    pub(crate) fn stop(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    pub(crate) fn map_and_unmap(&self) {
        while !self.done.load(Ordering::Relaxed) {
            let (stolen, queued, ran, began) = (stolen_so_far(), queued_so_far(), ran_so_far(), Instant::now());
            drop(memmap2::MmapMut::map_anon(1 << 16));
            let whole = began.elapsed();
            let (ran, queued, stolen) =
                (ran_so_far() - ran, queued_so_far() - queued, most_grown(&stolen, &stolen_so_far()));
            self.record(Wait { began, whole, queued, ran, stolen });
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn record(&self, wait: Wait) {
        let mut waits = self.waits.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        waits.whole = waits.whole.max(wait.whole);
        waits.blocked = waits.blocked.max(wait.blocked());
        if wait.whole >= LONG {
            waits.long.push(wait);
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

/// How long this thread has had a processor so far.
fn ran_so_far() -> Duration {
    let ran = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(ran.tv_sec as u64, ran.tv_nsec as u32)
}

/// How long each processor was with another machine so far; empty where the kernel does not tell.
fn stolen_so_far() -> Vec<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let processors = stat.lines().skip(1).take_while(|line| line.starts_with("cpu"));
    let hundredths = processors.map(|line| line.split(' ').nth(8).and_then(|stolen| stolen.parse().ok()).unwrap_or(0));
    hundredths.map(|hundredths: u64| Duration::from_millis(10 * hundredths)).collect()
}

fn most_grown(before: &[Duration], after: &[Duration]) -> Duration {
    before.iter().zip(after).map(|(before, after)| after.saturating_sub(*before)).max().unwrap_or_default()
}
