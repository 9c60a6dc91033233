//! Simulated logs, each walked through under all policies.

use std::path::Path;

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde::Serialize;

use super::Args;
use crate::cli::place::Place;
use crate::cli::simulate::{DriftKind, POSITIVE};
use crate::config::Config;
use crate::interactions::{self, ClustersConfig, Log, load_taxonomy};
use crate::replay::{self, Period, Replayed, Step, Weighing};
use crate::simulate::{self, CLUSTERS_FILE, LOG_GLOB, Simulation};

/// Days before the first table: by then as many users leave as arrive.
const WARM_UP: u32 = 21;

/// How one policy did in one world.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    /// How the world changes.
    pub(super) world: &'static str,
    /// What else decides it.
    pub(super) seed: u64,
    pub(super) policy: String,
    /// Share of positions whose first prediction came true.
    pub(super) served_1: f64,
    /// Of whose first n one did.
    pub(super) served_n: f64,
    /// The same by day.
    pub(super) daily: Vec<Option<f64>>,
    pub(super) refreshes: usize,
    pub(super) calls: u64,
}

/// Simulates a world and walks through it.
pub(super) async fn walk(config: &Config, args: &Args, drift: DriftKind, seed: u64) -> anyhow::Result<Vec<Run>> {
    let world = world(config, args, drift, seed);
    let place = Place::new(None, &format!("segue-cadence-{}-{seed}", drift.name()));
    Simulation::new(&world)?.write_all(&place.dir, |_| ())?;
    let taxonomy = load_taxonomy(&ClustersConfig { path: place.dir.join(CLUSTERS_FILE) })?;
    let log = Log::open(&interactions(config, &place.dir), &taxonomy).await?;
    let stretch = Period { from: midnight(&world, WARM_UP), to: midnight(&world, WARM_UP + args.days) };
    let settings = args.asked.settings(config, stretch, Step::Days(1));
    let settings = replay::Settings { resamples: 0, ..settings };
    let weighing = Weighing { cadence: config.evaluation.cadence.clone(), retrieval: config.retrieval.clone() };
    let walked = replay::backtest(&log, &taxonomy, &settings, &weighing, &args.policies(), &mut |_, _, _| ()).await?;
    Ok(walked.policies.into_iter().map(|of| run(drift, seed, of)).collect())
}

fn run(drift: DriftKind, seed: u64, of: Replayed) -> Run {
    let overall = of.rates.overall;
    Run {
        world: drift.name(),
        seed,
        policy: of.rates.name,
        served_1: overall.served_1.value,
        served_n: overall.served_n.value,
        daily: of.rates.periods.iter().map(|scores| Some(scores.as_ref()?.served_n.value)).collect(),
        refreshes: of.refreshes.len(),
        calls: of.calls,
    }
}

/// The config's world, long enough for what is asked to come true.
fn world(config: &Config, args: &Args, drift: DriftKind, seed: u64) -> simulate::Config {
    let horizon = args.asked.horizon.as_secs().div_ceil(86_400).min(1000) as u32;
    let days = WARM_UP + args.days + horizon;
    simulate::Config { seed, days, drift: drift.drift(args.drift_rate), ..config.simulate.clone() }
}

/// The first day on which a world that changes at once has changed, counted from the stretch's first.
pub(super) fn turn(config: &Config, args: &Args) -> Option<usize> {
    let days = world(config, args, DriftKind::Sudden, 0).days;
    (days.div_ceil(2)).checked_sub(WARM_UP).map(|day| day as usize)
}

fn midnight(world: &simulate::Config, day: u32) -> DateTime<Utc> {
    let date = world.start.checked_add_days(Days::new(u64::from(day))).unwrap_or(world.start);
    date.and_time(NaiveTime::MIN).and_utc()
}

fn interactions(config: &Config, dir: &Path) -> interactions::Config {
    let path = dir.join(LOG_GLOB).to_string_lossy().into_owned();
    let interactions::Config { memory, spill_dir, threads, .. } = config.interactions.clone();
    let positive = Some(POSITIVE.to_owned());
    interactions::Config { path, positive, memory, spill_dir, threads, ..interactions::Config::default() }
}
