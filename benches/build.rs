//! Builds, verifies and opens tables of many keys: what a row takes, and memory. Each step is a process of its own, so that
//! its peak is its own.
//!
//! ```text
//! cargo bench --bench build [-- --keys 1M,10M,100M --rounds 3] [--memory 1GiB --dir target/bench-data]
//! ```
//!
//! Without `--keys` it is the quick form: 1 M keys. 100 M keys take 8 GB in `--dir` for the table, and as much again for
//! what is spilled while it is built. Exits with 1 where a row of 100 M keys costs more than a bound beyond one of 10 M.
//! Without `--bench`, which cargo adds, the table is tiny.

// What a bench cannot set up it cannot measure.
#![allow(clippy::unwrap_used)]

#[path = "measure/mod.rs"]
mod measure;
#[path = "stats.rs"]
mod stats;

use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use measure::{Outcome, Sample, Taken, number, ratios, run, short};
use segue::ids::ClusterId;
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, Table, TableBuilder};
use segue::taxonomy::Taxonomy;

const WIDTH: usize = 8;
const STEPS: [&str; 4] = ["generate", "build", "verify", "open"];
/// Asked of a row: its cost among 100 M keys, beside that among 10 M.
const MOST_OF_SMALLER: f64 = 1.15;
const GIB: f64 = (1_u64 << 30) as f64;

struct Args {
    keys: Vec<u64>,
    rounds: Option<usize>,
    memory: ByteSize,
    dir: PathBuf,
    /// Do this one, in a process of its own.
    step: Option<String>,
}

/// All rounds with one number of keys: what each of [`STEPS`] took, and the seconds that it measured itself.
struct Figures {
    keys: u64,
    bytes: u64,
    taken: [Vec<(Taken, f64)>; 4],
}

fn main() -> Outcome<ExitCode> {
    let args = args()?;
    std::fs::create_dir_all(&args.dir)?;
    if let Some(step) = &args.step {
        let seconds = take_step(step, args.keys[0], &args)?.as_secs_f64();
        println!("{seconds}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut figures: Vec<Figures> =
        args.keys.iter().map(|&keys| Figures { keys, bytes: 0, taken: Default::default() }).collect();
    let largest = args.keys.iter().max().copied().unwrap_or_default();
    for _ in 0..args.rounds.unwrap_or(if largest < 100_000_000 { 9 } else { 3 }) {
        figures.iter_mut().try_for_each(|figures| round(figures, &args))?;
    }
    figures.iter().for_each(Figures::print);
    Ok(judge(&figures))
}

/// Runs every step once.
fn round(figures: &mut Figures, args: &Args) -> Outcome<()> {
    for (step, taken) in STEPS.into_iter().zip(&mut figures.taken) {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--step", step, "--keys", &figures.keys.to_string()]).arg("--dir").arg(&args.dir);
        command.args(["--memory", &format!("{}B", args.memory.as_u64())]);
        let ran = run(&mut command)?;
        let seconds = ran.stdout.trim().parse()?;
        taken.push((ran, seconds));
        if step == "build" {
            // What the disk still has to do is no part of what follows.
            File::open(table_path(&args.dir, figures.keys))?.sync_all()?;
        }
    }
    let path = table_path(&args.dir, figures.keys);
    figures.bytes = path.metadata()?.len();
    std::fs::remove_file(path)?;
    Ok(())
}

fn take_step(step: &str, keys: u64, args: &Args) -> Outcome<Duration> {
    let path = table_path(&args.dir, keys);
    let clusters = (keys as f64).sqrt() as u32 + 2;
    match step {
        "generate" => {
            let began = Instant::now();
            for_each_row(keys, clusters, |key, row| {
                black_box((key, row));
            });
            Ok(began.elapsed())
        }
        "build" => {
            let taxonomy = Taxonomy::new((0..clusters).map(|id| (ClusterId(id), format!("cluster {id}"))))?;
            let limits = BuildLimits { memory: args.memory.as_u64() as usize, spill_dir: args.dir.clone() };
            let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
            let began = Instant::now();
            let mut builder = TableBuilder::new(file, &taxonomy, Shape { k: 2, width: WIDTH }, limits)?;
            for_each_row(keys, clusters, |key, row| builder.push(key, row).unwrap());
            builder.finish(&Lineage::default(), &[])?;
            Ok(began.elapsed())
        }
        "verify" => {
            let table = Table::open(map(&path)?)?;
            let began = Instant::now();
            table.verify()?;
            Ok(began.elapsed())
        }
        _ => {
            let map = map(&path)?;
            let began = Instant::now();
            black_box(Table::open(map)?.width());
            Ok(began.elapsed())
        }
    }
}

/// Rows as counting gives them: in order of their keys, each with a full row of candidates.
fn for_each_row(keys: u64, clusters: u32, mut take: impl FnMut(&[ClusterId], &[Candidate])) {
    let pairs = (0..clusters).flat_map(|first| (0..clusters).map(move |second| (first, second)));
    let mut row = Vec::with_capacity(WIDTH);
    for (first, second) in pairs.filter(|(first, second)| first != second).take(keys as usize) {
        let seed = (u64::from(first) << 32 | u64::from(second)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // An odd stride walks far; what it meets twice or in the key is passed over.
        let (mut next, stride) = ((seed >> 32) as u32 % clusters, 1 + 2 * (seed as u32 % (clusters / 16 + 1)));
        row.clear();
        while row.len() < WIDTH {
            let cluster = ClusterId(next);
            if next != first && next != second && row.iter().all(|known: &Candidate| known.cluster != cluster) {
                row.push(Candidate { cluster, score: Score((seed >> 16) as u16), source: Source::Retrieved });
            }
            next = (next + if row.len() % 2 == 0 { stride } else { 1 }) % clusters;
        }
        take(&[ClusterId(first), ClusterId(second)], &row);
    }
}

#[allow(unsafe_code)]
fn map(path: &Path) -> Outcome<memmap2::Mmap> {
    // SAFETY: nobody but this bench knows the file, and it is written to by processes that have ended.
    Ok(unsafe { memmap2::Mmap::map(&File::open(path)?) }?)
}

fn table_path(dir: &Path, keys: u64) -> PathBuf {
    dir.join(format!("table-{keys}.segue"))
}

impl Figures {
    /// Nanoseconds that a step takes for each row.
    fn cost(&self, step: usize) -> Sample {
        self.taken[step].iter().map(|(_, seconds)| 1e9 * seconds / self.keys as f64).collect()
    }

    /// Nanoseconds of processor time that a step takes for each row: what is left once the disk is left out.
    fn processor(&self, step: usize) -> Sample {
        self.taken[step].iter().map(|(taken, _)| 1e9 * taken.cpu / self.keys as f64).collect()
    }

    fn print(&self) {
        let rounds = self.taken[0].len();
        println!("\n{} keys ({} MB of table), {rounds} rounds", short(self.keys), self.bytes / 1_000_000);
        for (at, step) in STEPS.into_iter().enumerate() {
            let sample = |figure: fn(&Taken) -> u64| {
                self.taken[at].iter().map(|(taken, _)| figure(taken) as f64 / GIB).collect::<Sample>()
            };
            let (cost, rss, anon) = (self.cost(at), sample(|taken| taken.rss), sample(|taken| taken.anon));
            match step {
                "open" => println!("  open     {:.2} ms", cost.per(1e6 / self.keys as f64)),
                _ => println!("  {step:8} {cost:.0} ns a row ({:.0} of a processor's)", self.processor(at)),
            }
            println!("           peak RSS {rss}, anonymous {anon} GiB");
        }
    }
}

/// Holds 100 M keys to what is asked of them.
fn judge(figures: &[Figures]) -> ExitCode {
    let of = |keys: u64| figures.iter().find(|figures| figures.keys == keys);
    let (Some(small), Some(large)) = (of(10_000_000), of(100_000_000)) else { return ExitCode::SUCCESS };
    let mut code = ExitCode::SUCCESS;
    println!();
    for (at, step) in STEPS.into_iter().enumerate().filter(|(_, step)| ["build", "verify"].contains(step)) {
        let growth = ratios(&large.cost(at), &small.cost(at));
        let kept = growth.median() <= MOST_OF_SMALLER;
        let processor = ratios(&large.processor(at), &small.processor(at));
        let verdict = if kept { "kept" } else { "BROKEN" };
        println!(
            "{step}, cost per row, 100 M : 10 M: {growth}, at most {MOST_OF_SMALLER}: {verdict} (processor time: {processor})"
        );
        if !kept {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn args() -> Outcome<Args> {
    let is_bench = std::env::args().any(|word| word == "--bench") && std::env::args().all(|word| word != "--test");
    let mut args = Args {
        keys: vec![if is_bench { 1_000_000 } else { 10_000 }],
        rounds: if is_bench { None } else { Some(1) },
        memory: ByteSize::gib(1),
        dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../bench-data"),
        step: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--keys" => args.keys = value()?.split(',').map(number).collect::<Outcome<_>>()?,
            "--rounds" => args.rounds = Some(value()?.parse()?),
            "--memory" => args.memory = value()?.parse()?,
            "--dir" => args.dir = value()?.into(),
            "--step" => args.step = Some(value()?),
            // Cargo's own, and names that other benches would filter by.
            _ => {}
        }
    }
    Ok(args)
}
