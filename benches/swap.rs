//! Swaps a large table in, again and again, under a reader, and measures what the rest of the process notices.
//!
//! ```text
//! cargo bench --bench swap [-- --size 1GiB --swaps 5]
//! ```
//!
//! Prints the wall time of each swap, the growth of the process's own memory (anonymous and shared; the table itself
//! is file pages, which the kernel can take back), and how long a thread that maps and unmaps memory throughout has to
//! wait. Exits with 1 where a bound is broken. Without `--bench`, which cargo adds, the table is tiny and no bound is
//! asked of it.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use segue::ids::{ClusterId, VersionId};
use segue::lookup::{Query, Rules, Scratch, lookup};
use segue::store::live::{Live, LiveConfig, ReloadReport, Watcher};
use segue::store::{Config, Note, Provenance, Store, TaxonomyChange};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, TableBuilder};
use segue::taxonomy::Taxonomy;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Growth allowed, as a share of the table.
const MAX_GROWTH: f64 = 0.05;
/// What a thread that maps memory may wait during swaps beyond its idle worst.
const MAX_EXTRA_WAIT: Duration = Duration::from_millis(20);

const CHANNEL: &str = "main";
const MIB: u64 = 1 << 20;

struct Args {
    size: u64,
    swaps: u64,
    bounded: bool,
    /// Only fill this store: in a process of its own, so that building leaves no trace in the figures.
    build: Option<String>,
}

fn main() -> Outcome<ExitCode> {
    let args = args()?;
    if let Some(dir) = &args.build {
        return build(dir, args.size).map(|()| ExitCode::SUCCESS);
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().to_str().ok_or("the temporary directory's name is not UTF-8")?;
    let began = Instant::now();
    let builder =
        Command::new(std::env::current_exe()?).args(["--build", path, "--size", &args.size.to_string()]).status()?;
    if !builder.success() {
        return Err("the table could not be built".into());
    }
    let store = open(path)?;
    let bytes = store.manifest(VersionId(1))?.table_bytes;
    println!("table: {} MiB, built and added twice in {:.1?}", bytes / MIB, began.elapsed());
    let figures = measure(&store, args.swaps)?;
    Ok(judge(&figures, bytes, args.bounded))
}

fn args() -> Outcome<Args> {
    let mut args = Args { size: 16 * MIB, swaps: 2, bounded: false, build: None };
    let mut words = std::env::args().skip(1).peekable();
    if std::env::args().any(|word| word == "--bench") && std::env::args().all(|word| word != "--test") {
        args = Args { size: 1024 * MIB, swaps: 5, bounded: true, build: None };
    }
    while let Some(word) = words.next() {
        match word.as_str() {
            "--size" => args.size = bytes(&words.next().ok_or("--size needs a value")?)?,
            "--swaps" => args.swaps = words.next().ok_or("--swaps needs a value")?.parse()?,
            "--build" => args.build = words.next(),
            // Cargo's own, and names that other benches would filter by.
            _ => {}
        }
    }
    Ok(args)
}

/// `1GiB`, `64MiB` or plain bytes.
fn bytes(text: &str) -> Outcome<u64> {
    let units = [("GiB", 1024 * MIB), ("MiB", MIB), ("", 1)];
    let parsed = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)));
    let (number, unit) = parsed.ok_or("every text ends in nothing")?;
    Ok(number.parse::<u64>()? * unit)
}

fn open(path: &str) -> Outcome<Store> {
    Ok(Store::open(&Config { path: path.to_owned(), ..Config::default() })?)
}

/// Two versions of one table, to swap between.
fn build(path: &str, size: u64) -> Outcome<()> {
    let store = open(path)?;
    let mut draft = store.draft()?;
    write_table(draft.table(), size, &std::env::temp_dir())?;
    let first = store.add(draft, Provenance::default())?;
    let mut draft = store.draft()?;
    std::io::copy(&mut File::open(store.table_path(first.version))?, draft.table())?;
    store.add(draft, Provenance::default())?;
    Ok(())
}

/// Every pair of as many clusters as give about `size` bytes.
fn write_table(file: &mut File, size: u64, spill_dir: &Path) -> Outcome<()> {
    // A slot is 64 bytes, and four of five are filled.
    let rows = size / 64 * 4 / 5;
    let clusters = (rows as f64).sqrt() as u32 + 1;
    let taxonomy = Taxonomy::new((0..clusters).map(|id| (ClusterId(id), format!("cluster {id}"))))?;
    let limits = BuildLimits { memory: 256 << 20, spill_dir: spill_dir.to_owned() };
    let mut builder = TableBuilder::new(file, &taxonomy, Shape { k: 2, width: 8 }, limits)?;
    for first in 0..clusters {
        for second in (0..clusters).filter(|&second| second != first) {
            let next = (1..).map(|step| (first + second + step) % clusters);
            let cluster = next.into_iter().find(|&next| next != first && next != second).unwrap_or_default();
            let candidate = Candidate { cluster: ClusterId(cluster), score: Score::ONE, source: Source::Retrieved };
            builder.push(&[ClusterId(first), ClusterId(second)], &[candidate])?;
        }
    }
    builder.finish(&Lineage::default(), &[])?;
    Ok(())
}

/// What was measured.
struct Figures {
    swaps: Vec<Duration>,
    /// Bytes of anonymous and shared memory beyond those before the first swap, at most and at the end.
    growth: [u64; 2],
    idle: Waits,
    swapping: Waits,
    lookups: u64,
}

/// The worst that happened to the mapping thread.
struct Waits {
    /// From call to return.
    whole: Duration,
    /// The same without the time in which it could have gone on, had a processor been free: other work on the machine
    /// takes that, not a swap.
    blocked: Duration,
}

fn measure(store: &Store, swaps: u64) -> Outcome<Figures> {
    let config = LiveConfig { poll: Duration::from_secs(3600), ..LiveConfig::default() };
    let (watcher, live) = Watcher::start(store.clone(), config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let reload = || runtime.block_on(watcher.reloader().reload());
    let probes = Probes::default();
    std::thread::scope(|scope| {
        scope.spawn(|| probes.map_and_unmap());
        scope.spawn(|| probes.watch_memory());
        scope.spawn(|| probes.look_up(&live));
        let measured = swap_repeatedly(store, swaps, &probes, reload);
        probes.done.store(true, Ordering::Relaxed);
        measured
    })
}

fn swap_repeatedly(store: &Store, swaps: u64, probes: &Probes, reload: impl Fn() -> ReloadReport) -> Outcome<Figures> {
    let before = own_memory()?;
    probes.peak.store(before, Ordering::Relaxed);
    // The first table is nobody's swap, but lets the reader begin.
    swap_in(store, VersionId(2), &reload)?;
    probes.take_waits();
    let began = Instant::now();
    let times = (0..swaps).map(|swap| swap_in(store, VersionId(1 + swap % 2), &reload)).collect::<Outcome<_>>()?;
    // The last retired table is given back behind the swap.
    std::thread::sleep(Duration::from_secs(1));
    let swapping = probes.take_waits();
    let growth = [probes.peak.load(Ordering::Relaxed), own_memory()?].map(|after| after.saturating_sub(before));
    // A machine has its own hiccups, and the longer one looks the worse they are: look as long.
    std::thread::sleep(began.elapsed());
    let lookups = probes.lookups.load(Ordering::Relaxed);
    Ok(Figures { swaps: times, growth, idle: probes.take_waits(), swapping, lookups })
}

fn swap_in(store: &Store, version: VersionId, reload: impl Fn() -> ReloadReport) -> Outcome<Duration> {
    store.publish(CHANNEL, version, &Note::default(), TaxonomyChange::Refused)?;
    let began = Instant::now();
    let ReloadReport { refused } = reload();
    if refused.is_empty() { Ok(began.elapsed()) } else { Err(refused.join("; ").into()) }
}

/// What runs beside the swaps.
#[derive(Default)]
struct Probes {
    done: AtomicBool,
    /// Nanoseconds of [`Waits`].
    whole: AtomicU64,
    blocked: AtomicU64,
    /// Bytes.
    peak: AtomicU64,
    lookups: AtomicU64,
}

impl Probes {
    fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    fn map_and_unmap(&self) {
        while !self.is_done() {
            let (queued, began) = (queued_so_far(), Instant::now());
            drop(memmap2::MmapMut::map_anon(1 << 16));
            let whole = began.elapsed().as_nanos() as u64;
            let blocked = whole.saturating_sub(queued_so_far() - queued);
            self.whole.fetch_max(whole, Ordering::Relaxed);
            self.blocked.fetch_max(blocked, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn watch_memory(&self) {
        while !self.is_done() {
            self.peak.fetch_max(own_memory().unwrap_or(u64::MAX), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn look_up(&self, live: &Live) {
        let mut scratch = Scratch::default();
        let mut pair = 0u32;
        while !self.is_done() {
            let channels = live.load();
            let Some(snapshot) = channels.get(CHANNEL) else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let clusters = snapshot.table.taxonomy().clusters().len() as u32;
            pair = pair.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let history = [pair % clusters, (pair >> 16) % clusters];
            let rules = Rules { blocklist: &snapshot.blocklist, max_history: 2 };
            let query = Query { history: &history, limit: 1, exclude: &[] };
            let found = lookup(&snapshot.table, rules, query, &mut scratch).map(|answer| answer.predictions.len());
            self.lookups.fetch_add(u64::from(found == Ok(1)), Ordering::Relaxed);
        }
    }

    fn take_waits(&self) -> Waits {
        let [whole, blocked] = [&self.whole, &self.blocked].map(|worst| worst.swap(0, Ordering::Relaxed));
        Waits { whole: Duration::from_nanos(whole), blocked: Duration::from_nanos(blocked) }
    }
}

/// Nanoseconds that this thread has waited for a processor so far; 0 where the kernel does not tell.
fn queued_so_far() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').nth(1).and_then(|queued| queued.parse().ok()).unwrap_or(0)
}

/// RssAnon and RssShmem, in bytes.
fn own_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = |field: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("the kernel does not tell RSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    Ok(1024 * (kib("RssAnon:")? + kib("RssShmem:")?))
}

fn judge(figures: &Figures, bytes: u64, bounded: bool) -> ExitCode {
    let Figures { swaps, growth, idle, swapping, lookups } = figures;
    let [peak, end] = growth.map(|grown| grown as f64 / bytes as f64);
    println!("swap: {swaps:.2?}");
    println!(
        "growth of RssAnon + RssShmem: at most {:.2} %, at the end {:.2} % of the table",
        100.0 * peak,
        100.0 * end
    );
    for (when, Waits { whole, blocked }) in [("idle", idle), ("during swaps", swapping)] {
        println!("worst wait for mmap and munmap {when}: {blocked:.2?} ({whole:.2?} with waits for a processor)");
    }
    println!("lookups answered meanwhile: {lookups}");
    let kept = peak <= MAX_GROWTH && swapping.blocked <= idle.blocked + MAX_EXTRA_WAIT && *lookups > 0;
    if kept || !bounded {
        return ExitCode::SUCCESS;
    }
    println!("a bound is broken: growth {:.0} %, {MAX_EXTRA_WAIT:?} beyond idle", 100.0 * MAX_GROWTH);
    ExitCode::FAILURE
}
