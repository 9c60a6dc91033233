//! Counts the transitions of a simulated log, beside DuckDB and Polars on the same Parquet files: each a whole
//! process, with the same threads and the same limit of memory, writing the same CSV.
//!
//! ```text
//! cargo bench --bench count [-- --rows 10M,30M,100M --pairs 3 --engines segue,duckdb,polars]
//!                           [--threads 2 --memory 4GiB --dir target/bench-data]
//! ```
//!
//! Without `--rows` it is the quick form: 1 M and 3 M rows, about a minute once the logs are there. Logs and the
//! peers' Python environment are kept in `--dir` (100 M rows take 1.4 GB). Where the peers cannot be installed their
//! rows are left out. Exits with 1 if counts differ, or where 100 M rows break a bound. Without `--bench`, which cargo
//! adds, a tiny log is counted and no peer asked.

#[path = "../measure/mod.rs"]
mod measure;

mod engines;
mod log;
mod report;
#[path = "../stats.rs"]
mod stats;

use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use engines::{Bench, Engine};
use log::SimulatedLog;
use measure::{Outcome, number};
use report::Figures;

struct Args {
    rows: Vec<u64>,
    /// Rounds; `None`: 9, and 3 from 100 M rows on.
    pairs: Option<usize>,
    engines: Vec<Engine>,
    threads: usize,
    memory: ByteSize,
    dir: PathBuf,
}

fn main() -> Outcome<ExitCode> {
    let args = args()?;
    std::fs::create_dir_all(&args.dir)?;
    let bench = Bench::prepare(&args.dir, args.threads, args.memory, &args.engines)?;
    let mut figures = Vec::new();
    for &rows in &args.rows {
        let log = SimulatedLog::get(&args.dir, rows)?;
        let pairs = args.pairs.unwrap_or(if rows < 100_000_000 { 9 } else { 3 });
        let measured = Figures::new(&log, rounds(&bench, &log, pairs)?);
        print!("{measured}");
        figures.push(measured);
    }
    Ok(report::judge(&figures, args.memory))
}

/// Runs every engine `pairs` times, in turn, each round beginning with another.
fn rounds(bench: &Bench, log: &SimulatedLog, pairs: usize) -> Outcome<Vec<(Engine, Vec<measure::Taken>)>> {
    let engines = bench.engines();
    let mut taken: Vec<_> = engines.iter().map(|&engine| (engine, Vec::new())).collect();
    let mut first = None;
    for round in 0..pairs {
        for at in (0..engines.len()).map(|at| (at + round) % engines.len()) {
            let (run, counts) = bench.count(engines[at], log)?;
            if *first.get_or_insert(counts) != counts {
                return Err(format!("{:?} counts something else in {}", engines[at], log.dir.display()).into());
            }
            taken[at].1.push(run);
        }
    }
    Ok(taken)
}

fn args() -> Outcome<Args> {
    let is_bench = std::env::args().any(|word| word == "--bench") && std::env::args().all(|word| word != "--test");
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../bench-data");
    let mut args = Args {
        rows: if is_bench { vec![1_000_000, 3_000_000] } else { vec![20_000] },
        pairs: if is_bench { None } else { Some(1) },
        engines: if is_bench { Engine::ALL.to_vec() } else { vec![Engine::Segue] },
        threads: 2,
        memory: ByteSize::gib(4),
        dir,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--rows" => args.rows = value()?.split(',').map(number).collect::<Outcome<_>>()?,
            "--pairs" => args.pairs = Some(value()?.parse()?),
            "--engines" => args.engines = value()?.split(',').map(Engine::named).collect::<Outcome<_>>()?,
            "--threads" => args.threads = value()?.parse()?,
            "--memory" => args.memory = value()?.parse()?,
            "--dir" => args.dir = value()?.into(),
            // Cargo's own, and names that other benches would filter by.
            _ => {}
        }
    }
    Ok(args)
}
