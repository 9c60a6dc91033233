//! What a process notices of large tables that are swapped in, again and again.
//!
//! ```text
//! cargo bench --bench swap [-- --size 1GiB --swaps 9] [--only waits|latency|limit|refresh] [--quick] [--dir DIR]
//! ```
//!
//! - `waits`: the wall time of each swap, and how long a thread that maps and unmaps memory throughout has to wait;
//! - `latency`: a reader's p50, p99 and p99.9 while tables are swapped in, and while none is; the growth of the process's
//!   own memory (anonymous and shared; the table itself is file pages, which the kernel can take back);
//! - `limit`: the same swaps in a cgroup that allows 2.5 tables and 512 MiB;
//! - `refresh`: a reader's latencies with a counting refresher beside, and without (needs the feature `refresher`).
//!
//! Exits with 1 where a bound is broken. Without `--bench`, which cargo adds, the table is tiny and no bound is asked of
//! it. The tables are built once, in `--dir` (by default below `target`).

mod args;
#[cfg(feature = "refresher")]
mod counting;
mod latency;
mod limit;
mod memory;
mod probes;
#[path = "../stats.rs"]
mod stats;
mod steps;
mod tables;
mod waits;
mod world;

use std::process::ExitCode;

use args::{Args, Part};
use world::World;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const MIB: u64 = 1 << 20;

fn main() -> Outcome<ExitCode> {
    let args = Args::from_command_line()?;
    if let Some(dir) = &args.build {
        return tables::build(dir, args.size).map(|()| ExitCode::SUCCESS);
    }
    if args.limited {
        return limit::swap_within(&args).map(|()| ExitCode::SUCCESS);
    }
    let store = tables::store(&args)?;
    let mut kept = true;
    for part in args.parts() {
        kept &= measure(part, &args, &store)?;
    }
    Ok(if kept || !args.bounded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the part's bounds hold.
fn measure(part: Part, args: &Args, store: &segue::store::Store) -> Outcome<bool> {
    println!("\n== {part:?}");
    match part {
        Part::Waits => waits::measure(&World::start(store)?, args),
        Part::Latency => latency::measure(&World::start(store)?, args),
        Part::Limit => limit::measure(args, store),
        #[cfg(feature = "refresher")]
        Part::Refresh => counting::measure(&World::start(store)?, args),
        #[cfg(not(feature = "refresher"))]
        Part::Refresh => {
            println!("skipped: this build counts nothing (it lacks the feature `refresher`)");
            Ok(true)
        }
    }
}
