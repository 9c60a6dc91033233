//! How long a swap takes, and how long others wait for memory maps meanwhile.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::args::Args;
use crate::probes::{Probes, Wait, Waits};
use crate::steps::Steps;
use crate::world::World;

/// What a thread that maps memory may wait during swaps beyond its idle worst.
const MAX_EXTRA: Duration = Duration::from_millis(20);

pub(crate) fn measure(world: &World, args: &Args) -> Outcome<bool> {
    let steps = Steps::listen();
    let probes = Probes::default();
    let (times, swapping, idle) = std::thread::scope(|scope| {
        scope.spawn(|| probes.map_and_unmap());
        scope.spawn(|| probes.look_up(&world.live));
        let measured = swap_repeatedly(world, args.swaps, &probes);
        probes.stop();
        measured
    })?;
    println!("swap: {times:.2?}");
    for (when, Waits { whole, blocked, .. }) in [("idle", &idle), ("during swaps", &swapping)] {
        println!("worst wait for mmap and munmap {when}: {blocked:.2?} (from call to return: {whole:.2?})");
    }
    for wait in &swapping.long {
        let (blocked, step) = (wait.blocked(), steps.at(wait.began));
        let Wait { whole, queued, ran, stolen, .. } = wait;
        println!(
            "    {whole:.2?} after `{step}`: {blocked:.2?} blocked, {queued:.2?} for a processor, {ran:.2?} running, \
             {stolen:.2?} stolen"
        );
    }
    let lookups = probes.lookups.load(Ordering::Relaxed);
    println!("lookups answered meanwhile: {lookups}");
    let kept = swapping.blocked <= idle.blocked + MAX_EXTRA && lookups > 0;
    println!("bound: {MAX_EXTRA:?} beyond idle: {}", if kept { "kept" } else { "BROKEN" });
    Ok(kept)
}

fn swap_repeatedly(world: &World, swaps: u64, probes: &Probes) -> Outcome<(Vec<Duration>, Waits, Waits)> {
    probes.take_waits();
    let began = Instant::now();
    let times = (0..swaps).map(|n| world.swap(n)).collect::<Outcome<_>>()?;
    // The last retired table is given back behind the swap.
    std::thread::sleep(Duration::from_secs(1));
    let swapping = probes.take_waits();
    // A machine has its own hiccups, and the longer one looks the worse they are: look as long.
    std::thread::sleep(began.elapsed());
    Ok((times, swapping, probes.take_waits()))
}
