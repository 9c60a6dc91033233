//! Replays: against known figures and a naive model, and that none knows what it is asked to predict.

mod backtest;
mod drift;
mod known;
mod leaks;
mod model;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use segue::interactions::{Config, TimestampUnit};
use segue::replay::{Compared, HitRate, ReplayError, Settings, Step, Version, hit_rate};
use segue::table;
use segue::taxonomy::Taxonomy;

fn day(day: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(day)
}

/// Everyone, counted and asked, from the given day to the other.
fn settings(from: i64, to: i64) -> Settings {
    Settings {
        from: day(from),
        to: day(to),
        step: Step::Days(7),
        window: Step::Days(30),
        table: table::Config::default(),
        n: 5,
        horizon: TimeDelta::from_std(Duration::from_secs(7 * 86_400)).unwrap(),
        held_out: None,
        beyond: 0,
        resamples: 0,
    }
}

/// A log of `(user, cluster, day)` in seconds.
fn written(dir: &Path, rows: &[(u32, u32, i64)]) -> Config {
    let path: PathBuf = dir.join("log.csv");
    let line = |&(user, cluster, day): &(u32, u32, i64)| format!("{user},{cluster},{}\n", day * 86_400);
    let lines: String = rows.iter().map(line).collect();
    std::fs::write(&path, format!("user_id,cluster_id,timestamp\n{lines}")).unwrap();
    Config { timestamp_unit: Some(TimestampUnit::Seconds), ..crate::count::config(&path) }
}

async fn replayed(
    config: &Config,
    taxonomy: &Taxonomy,
    settings: &Settings,
    versions: Vec<Version<Vec<u8>>>,
) -> Result<HitRate, ReplayError> {
    let log = segue::interactions::Log::open(config, taxonomy).await?;
    let named = |(nth, version)| Compared { name: format!("version {nth}"), version };
    let compared: Vec<_> = versions.into_iter().enumerate().map(named).collect();
    hit_rate(&log, taxonomy, settings, &compared, &mut |_, _, _| ()).await
}
