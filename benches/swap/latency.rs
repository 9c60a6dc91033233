//! A reader's latencies in windows with something beside, and in windows without.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use segue::store::live::Live;

use crate::Outcome;
use crate::args::Args;
use crate::memory;
use crate::stats::Estimate;
use crate::world::{Reader, World};

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
/// p99 in swap windows : steady.
const MAX_RATIO: f64 = 1.2;
/// Growth of the process's own memory, as a share of the table.
const MAX_GROWTH: f64 = 0.05;

pub(crate) fn measure(world: &World, args: &Args) -> Outcome<bool> {
    let before = memory::own()?;
    let peak = AtomicU64::new(before);
    let mut pairs = Pairs::default();
    for n in 0..args.swaps {
        let mut took = Duration::ZERO;
        let beside = latencies(&world.live, || watching_memory(&peak, || world.swap(n).map(|time| took = time)))?;
        // Behind a swap the table before is given back.
        std::thread::sleep(Duration::from_millis(500));
        let steady = latencies(&world.live, || {
            std::thread::sleep(took);
            Ok(())
        })?;
        pairs.push(&beside, &steady);
    }
    let kept = pairs.tell("in swap windows : steady", MAX_RATIO);
    let growth = (peak.load(Ordering::Relaxed) - before) as f64 / world.table_bytes()? as f64;
    println!("growth of RssAnon + RssShmem: {:.2} % of the table (bar: 5 %)", 100.0 * growth);
    Ok(kept && growth <= MAX_GROWTH)
}

/// Nanoseconds of each lookup that a thread makes while `meanwhile` runs on this one.
pub(crate) fn latencies(live: &Live, meanwhile: impl FnOnce() -> Outcome<()>) -> Outcome<Histogram<u64>> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&done, live));
        let result = meanwhile();
        done.store(true, Ordering::Relaxed);
        let latencies = reading.join().map_err(|_| "the reader panicked")?.ok_or("a lookup had no answer")?;
        result.map(|()| latencies)
    })
}

/// `None` where a lookup had no answer.
fn read_until(done: &AtomicBool, live: &Live) -> Option<Histogram<u64>> {
    let mut latencies = Histogram::new_with_max(1_000_000_000, 3).ok()?;
    let mut reader = Reader::default();
    let mut began = Instant::now();
    while !done.load(Ordering::Relaxed) {
        if !reader.look_up(live) {
            return None;
        }
        let ended = Instant::now();
        latencies.saturating_record((ended - began).as_nanos() as u64);
        began = ended;
    }
    Some(latencies)
}

fn watching_memory(peak: &AtomicU64, run: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                peak.fetch_max(memory::own().unwrap_or(u64::MAX), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let result = run();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// Quantiles of windows with something beside, and their ratios to those of windows without.
#[derive(Default)]
pub(crate) struct Pairs([Vec<[f64; 2]>; QUANTILES.len()]);

impl Pairs {
    pub(crate) fn push(&mut self, beside: &Histogram<u64>, without: &Histogram<u64>) {
        for (pairs, (_, quantile)) in self.0.iter_mut().zip(QUANTILES) {
            pairs.push([beside, without].map(|window| window.value_at_quantile(quantile) as f64));
        }
    }

    /// Whether the ratio of the p99 is at most `bar`.
    pub(crate) fn tell(&self, what: &str, bar: f64) -> bool {
        let mut kept = true;
        for (pairs, (name, quantile)) in self.0.iter().zip(QUANTILES) {
            let ratio = Estimate::of(pairs.iter().map(|[beside, without]| beside / without));
            let [beside, without] = [0, 1].map(|side| Estimate::of(pairs.iter().map(|pair| pair[side])).median);
            let is_barred = quantile == 0.99;
            kept &= !is_barred || ratio.median <= bar;
            let bar = if is_barred { format!(" (bar: {bar})") } else { String::new() };
            println!("{name:<5} {what}: {ratio}{bar}   ({beside:.0} ns, {without:.0} ns)");
        }
        kept
    }
}
