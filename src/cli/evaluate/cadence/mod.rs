//! `segue evaluate cadence`: which refresh policy holds in worlds that change in different ways, each lived several times?

mod summary;
mod told;
mod worlds;

use super::over::Asked;
use super::told::Told;
use crate::cli::refresh::Shown;
use crate::cli::simulate::DriftKind;
use crate::config::Config;
use crate::refresh::Progress;
use crate::replay::Policy;
use summary::Summary;

/// Arguments of `segue evaluate cadence`; the worlds are those of `segue simulate` and `[simulate]`, with tables counted
/// as the config says.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Worlds of each kind
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// The first one's seed; the others' follow
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Days walked through
    #[arg(long, default_value_t = 42, value_parser = clap::value_parser!(u32).range(1..=1000))]
    days: u32,
    /// Days between refreshes; daily comes first, since all are measured by it
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,5,7,10,14,30")]
    fixed: Vec<u32>,
    /// For the slow drift: the share of pairs whose successors are redrawn each day
    #[arg(long, default_value_t = 0.05)]
    drift_rate: f64,
    #[command(flatten)]
    asked: Asked,
}

impl Args {
    fn policies(&self) -> Vec<Policy> {
        let fixed = self.fixed.iter().filter(|&&days| days != 1).map(|&days| Policy::Fixed(days));
        [Policy::Fixed(1)].into_iter().chain(fixed).chain([Policy::Adaptive]).collect()
    }
}

pub(super) fn run(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let runtime = crate::cli::runtime()?;
    let (mut runs, mut shown) = (Vec::new(), Shown::new());
    let seeds = args.first_seed..args.first_seed + args.seeds;
    let worlds: Vec<_> =
        DriftKind::ALL.iter().flat_map(|&drift| seeds.clone().map(move |seed| (drift, seed))).collect();
    for (done, &(drift, seed)) in (0..).zip(&worlds) {
        let message = format!("world `{}` of seed {seed}", drift.name());
        shown.show(&Progress { step: "replay", done, total: worlds.len() as u64, message });
        runs.extend(runtime.block_on(worlds::walk(config, args, drift, seed))?);
    }
    shown.bar.finish_and_clear();
    let window = args.asked.window(config).to_string();
    let summary = Summary::of(&runs, worlds::turn(config, args), args.asked.resamples as usize);
    Ok(told::told(&summary, &runs, &window, args.asked.limit))
}
