//! In-process lookups beside what one would take instead, and beside what the memory alone takes.
//!
//! ```text
//! cargo bench --bench lookup [-- --quick | --large] [--set 761] [--against LMDB] [--times] [--prepare] [--dir DIR]
//! ```
//!
//! Prints ratios of times in pairs of short windows, with the interval that holds the true median in 95 of 100 cases;
//! `benches/README.md` says what they mean. Tables and databases are built once, in `--dir` (by default below `target`),
//! and used again; `--prepare` does only that. With `--times` it prints times of single operations instead: true of this
//! machine at this moment only.

// What a bench cannot set up it cannot measure.
#![allow(clippy::unwrap_used)]

mod args;
mod keys;
mod pages;
mod paired;
mod peers;
mod ratios;
mod sides;
#[path = "../stats.rs"]
mod stats;
mod table;
mod times;

use args::Args;

fn main() {
    let args = Args::from_command_line();
    args::with_huge_pages_for_all();
    for keys in args.sets() {
        let dir = args.dir.join(keys.slug());
        std::fs::create_dir_all(&dir).unwrap();
        let store = table::store(&dir, &keys);
        if args.prepare {
            peers::prepare(&dir, &keys);
            continue;
        }
        let (_watcher, live) = table::swap_in(store);
        let channels = live.load();
        let snapshot = channels.get(table::CHANNEL).unwrap();
        let bytes = snapshot.table.bytes().as_ref();
        let (resident, huge) = pages::mapped(bytes);
        println!(
            "\n{}: a table of {} MiB, of which {resident} MiB are in memory, {huge} MiB in huge pages",
            keys.name,
            bytes.len() >> 20
        );
        if args.times {
            times::measure(snapshot, &keys);
        } else {
            ratios::measure(snapshot, &keys, &dir, &args);
        }
    }
}
