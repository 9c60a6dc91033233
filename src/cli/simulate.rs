//! `segue simulate`: a drifting log with a known truth, ready to be refreshed from.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::json;

use super::{Common, output};
use crate::simulate::{Config, DayWritten, Drift, Simulation};

/// Arguments of `segue simulate`; what is not given comes from `[simulate]`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write: clusters.csv, items.csv, log/, truth/ and a segue.toml that reads them
    #[arg(long)]
    dir: PathBuf,
    /// Equal seeds and settings give equal files
    #[arg(long)]
    seed: Option<u64>,
    /// Users present on every day
    #[arg(long)]
    users: Option<u32>,
    /// Days of log
    #[arg(long)]
    days: Option<u32>,
    /// Interest clusters
    #[arg(long)]
    clusters: Option<u32>,
    /// How interests change
    #[arg(long)]
    drift: Option<DriftKind>,
    /// For slow drift: the share of pairs whose successors are redrawn each day
    #[arg(long, default_value_t = 0.05)]
    drift_rate: f64,
}

/// What tells interests from anything else in a simulated log.
pub(super) const POSITIVE: &str = "watch_ratio > 0.8 OR is_like";

/// How interests change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DriftKind {
    /// Never
    None,
    /// A share of the pairs each day (--drift-rate)
    Slow,
    /// All pairs, half way
    Sudden,
    /// All pairs alternate between two structures, week by week
    Seasonal,
}

impl DriftKind {
    pub(super) const ALL: [Self; 4] = [Self::None, Self::Slow, Self::Sudden, Self::Seasonal];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Slow => "slow",
            Self::Sudden => "sudden",
            Self::Seasonal => "seasonal",
        }
    }

    /// `rate` is that of a slow drift.
    pub(super) fn drift(self, rate: f64) -> Drift {
        match self {
            Self::None => Drift::None {},
            Self::Slow => Drift::Slow { rate },
            Self::Sudden => Drift::Sudden { at: 0.5 },
            Self::Seasonal => Drift::Seasonal { period: 7 },
        }
    }
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = settings(common.start()?.simulate, &args);
    let mut simulation = Simulation::new(&config)?;
    let bar = indicatif::ProgressBar::new(u64::from(config.days));
    let rows = simulation.write_all(&args.dir, |day| show(&bar, &config, day))?;
    bar.finish_and_clear();
    let file = write_config(&args.dir)?;
    if common.json {
        output::json(&json!({ "dir": args.dir, "days": config.days, "rows": rows, "config": file }))?;
    } else {
        output::line(format_args!("{rows} rows of {} days in {}", config.days, args.dir.display()))?;
        output::line(format_args!("make a table of them: segue --config {} refresh", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(config: Config, args: &Args) -> Config {
    Config {
        seed: args.seed.unwrap_or(config.seed),
        users: args.users.unwrap_or(config.users),
        days: args.days.unwrap_or(config.days),
        clusters: args.clusters.unwrap_or(config.clusters),
        drift: args.drift.map_or(config.drift, |kind| kind.drift(args.drift_rate)),
        ..config
    }
}

fn show(bar: &indicatif::ProgressBar, config: &Config, day: &DayWritten) {
    if std::io::stderr().is_terminal() {
        bar.inc(1);
    } else {
        output::note(format_args!("day {} of {}: {} rows", day.day + 1, config.days, day.rows));
    }
}

/// Writes a `segue.toml` beside a simulated log that reads it. Paths are absolute: it works from anywhere.
pub(super) fn write_config(dir: &Path) -> anyhow::Result<PathBuf> {
    let root = dir.canonicalize().with_context(|| format!("{} cannot be found", dir.display()))?;
    let at = |name: &str| toml_text(&root.join(name));
    let text = format!(
        "[store]\npath = {store}\n\n[clusters]\npath = {clusters}\n\n[interactions]\npath = {log}\n\
         positive = \"{POSITIVE}\"\n\n[refresh]\nwindow = \"7d\"\n",
        store = at("store"),
        clusters = at("clusters.csv"),
        log = at("log"),
    );
    let file = root.join("segue.toml");
    std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}

/// A path as a TOML string; JSON's escapes are TOML's.
fn toml_text(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}
