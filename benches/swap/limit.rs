//! The same swaps where memory is limited.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use segue::ids::VersionId;
use segue::store::Store;

use crate::args::Args;
use crate::probes::Probes;
use crate::world::World;
use crate::{MIB, Outcome, tables};

/// A group of processes with a limit, of either version; it goes with this.
struct Group {
    dir: PathBuf,
    peak: &'static str,
}

/// Where groups are made, how the limit is called, and how the most that was used.
const KINDS: [(&str, &str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
];

impl Group {
    /// `None` where this user, or this machine, has no such groups.
    fn limited_to(bytes: u64) -> Option<Self> {
        KINDS.into_iter().find_map(|(root, limit, peak)| {
            let group = Self { dir: Path::new(root).join(format!("segue-bench-{}", std::process::id())), peak };
            std::fs::create_dir(&group.dir).ok()?;
            // Not created: where the kernel did not make the file, this is no group.
            let mut limit = File::options().write(true).open(group.dir.join(limit)).ok()?;
            limit.write_all(bytes.to_string().as_bytes()).ok()?;
            Some(group)
        })
    }

    fn peak(&self) -> u64 {
        let text = std::fs::read_to_string(self.dir.join(self.peak)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What stays is an empty group.
        let _ = std::fs::remove_dir(&self.dir);
    }
}

pub(crate) fn measure(args: &Args, store: &Store) -> Outcome<bool> {
    let limit = store.manifest(VersionId(1))?.table_bytes * 5 / 2 + 512 * MIB;
    let Some(group) = Group::limited_to(limit) else {
        println!("skipped: no cgroup can be made here; it takes root, and a memory controller");
        return Ok(true);
    };
    // Into the group first, so that every byte is counted.
    let mut child = Command::new("sh");
    child.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(group.dir.join("cgroup.procs"));
    child.arg(std::env::current_exe()?).args(std::env::args().skip(1)).arg("--limited").arg("--dir").arg(&args.dir);
    let kept = child.status()?.success();
    println!("at most {} of {} MiB were used, page cache included", group.peak() / MIB, limit / MIB);
    println!("bar: the swaps complete: {}", if kept { "kept" } else { "BROKEN" });
    Ok(kept)
}

/// In the child.
pub(crate) fn swap_within(args: &Args) -> Outcome<()> {
    let world = World::start(&tables::open(&args.dir.join(args.size.to_string()))?)?;
    let probes = Probes::default();
    let times = std::thread::scope(|scope| {
        scope.spawn(|| probes.look_up(&world.live));
        let times = (0..args.swaps).map(|n| world.swap(n)).collect::<Outcome<Vec<_>>>();
        probes.stop();
        times
    })?;
    println!("swap: {times:.2?}, with {} lookups answered meanwhile", probes.lookups.load(Ordering::Relaxed));
    Ok(())
}
