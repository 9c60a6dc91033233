//! The log that is counted: a simulation of 30 days, made once and kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::Outcome;

/// As many clusters as the paper's.
const CLUSTERS: u32 = 761;
const DAYS: u64 = 30;
/// The simulator's mean.
const EVENTS_PER_DAY: u64 = 8;

/// What counts as positive, which every engine is told in its own words.
pub(crate) const POSITIVE: &str = "watch_ratio > 0.8 OR is_like";

/// A simulated log.
pub(crate) struct SimulatedLog {
    pub(crate) dir: PathBuf,
    /// Rows asked for; a simulation has about as many.
    pub(crate) asked: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl SimulatedLog {
    /// The log of about `rows` rows below `dir`; simulated unless it is there already.
    pub(crate) fn get(dir: &Path, asked: u64) -> Outcome<Self> {
        let dir = dir.join(format!("log-{asked}"));
        let done = dir.join("rows");
        if !done.exists() {
            println!("simulating {asked} rows into {}", dir.display());
            std::fs::write(&done, simulate(&dir, asked)?)?;
        }
        let rows = std::fs::read_to_string(&done)?.trim().parse()?;
        let mut log = Self { dir: dir.canonicalize()?, asked, rows, bytes: 0 };
        // Read once, so that every engine finds the files in the cache.
        log.bytes = log.files()?.iter().map(|file| Ok(std::fs::read(file)?.len() as u64)).sum::<Outcome<u64>>()?;
        Ok(log)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("segue.toml")
    }

    /// Matches its files.
    pub(crate) fn glob(&self) -> PathBuf {
        self.dir.join("log/*/*.parquet")
    }

    pub(crate) fn files(&self) -> Outcome<Vec<PathBuf>> {
        let days = std::fs::read_dir(self.dir.join("log"))?;
        days.map(|day| Ok(day?.path().join("part-0.parquet"))).collect()
    }
}

/// Returns what it says of its rows.
fn simulate(dir: &Path, rows: u64) -> Outcome<String> {
    let users = (rows / (DAYS * EVENTS_PER_DAY)).max(1).to_string();
    let (days, clusters) = (DAYS.to_string(), CLUSTERS.to_string());
    let told = Command::new(env!("CARGO_BIN_EXE_segue"))
        .args(["simulate", "--json", "--users", &users, "--days", &days, "--clusters", &clusters, "--dir"])
        .arg(dir)
        .args(["--set", &format!("simulate.events_per_day={EVENTS_PER_DAY}")])
        .output()?;
    if !told.status.success() {
        return Err(format!("the simulation failed: {}", String::from_utf8_lossy(&told.stderr)).into());
    }
    let told: serde_json::Value = serde_json::from_slice(&told.stdout)?;
    Ok(told["rows"].to_string())
}
