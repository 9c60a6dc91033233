//! What the runs come to. Pure: figures in, figures out.

use serde::Serialize;

use super::worlds::Run;
use crate::evaluation::Estimate;

/// A policy holds where it keeps this share of the daily policy's hit rate.
const HOLDS: f64 = 0.99;

/// A hit rate has recovered when this share of what was lost is back.
const RECOVERED: f64 = 0.9;

/// Days on either side of a change that tell how high the hit rate was and how low it fell.
const AROUND: usize = 7;

/// All policies in all worlds, over their seeds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    pub(super) policies: Vec<Line>,
    /// The fixed policy with the fewest refreshes that holds in every world.
    pub(super) cheapest_fixed: Option<String>,
    /// The adaptive policy's refreshes as a share of that one's, over all worlds.
    pub(super) adaptive_share: Option<f64>,
}

/// One policy.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) policy: String,
    pub(super) worlds: Vec<InWorld>,
    /// Whether it holds in every world.
    pub(super) holds: bool,
    /// Refreshes after the first table, summed over the worlds: the means over seeds.
    pub(super) refreshes: f64,
    /// Days after the sudden change until the hit rate has recovered; none where it does not.
    pub(super) recovery: Option<usize>,
}

/// One policy in one world.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InWorld {
    pub(super) world: &'static str,
    /// Its hit rate, of the first prediction, as a share of the daily policy's; the interval is over seeds.
    pub(super) relative_1: Option<Estimate>,
    /// The same of the first n.
    pub(super) relative_n: Option<Estimate>,
    /// Refreshes after the first table, the mean over seeds.
    pub(super) refreshes: f64,
    /// Questions to a language model after the first table, the mean over seeds.
    pub(super) calls: f64,
    /// Hit rates of the first n by day, the mean over seeds.
    pub(super) daily: Vec<Option<f64>>,
}

impl Summary {
    /// `turn` is the day on which the sudden world changes. The first policy is the daily one, the last the adaptive one.
    pub(super) fn of(runs: &[Run], turn: Option<usize>, resamples: usize) -> Self {
        let policies: Vec<Line> = distinct(runs, |run| run.policy.as_str())
            .into_iter()
            .map(|policy| line(runs, policy, turn, resamples))
            .collect();
        let fixed = policies.split_last().map_or(&[][..], |(_, fixed)| fixed);
        let holding = fixed.iter().filter(|line| line.holds);
        let cheapest = holding.min_by(|a, b| a.refreshes.total_cmp(&b.refreshes));
        let share = |cheapest: &Line| {
            let adaptive = policies.last().filter(|_| cheapest.refreshes > 0.0)?;
            Some(adaptive.refreshes / cheapest.refreshes)
        };
        let (name, adaptive_share) = (cheapest.map(|line| line.policy.clone()), cheapest.and_then(share));
        Self { cheapest_fixed: name, adaptive_share, policies }
    }
}

fn line(runs: &[Run], policy: &str, turn: Option<usize>, resamples: usize) -> Line {
    let worlds: Vec<InWorld> =
        distinct(runs, |run| run.world).into_iter().map(|world| in_world(runs, policy, world, resamples)).collect();
    let holds = |world: &InWorld| world.relative_n.is_some_and(|share| share.value >= HOLDS);
    let sudden = worlds.iter().find(|world| world.world == "sudden");
    Line {
        policy: policy.to_owned(),
        holds: worlds.iter().all(holds),
        refreshes: worlds.iter().map(|world| world.refreshes).sum(),
        recovery: sudden.zip(turn).and_then(|(world, turn)| recovery(&world.daily, turn)),
        worlds,
    }
}

fn in_world(runs: &[Run], policy: &str, world: &'static str, resamples: usize) -> InWorld {
    let of =
        |policy: &str| -> Vec<&Run> { runs.iter().filter(|run| run.world == world && run.policy == policy).collect() };
    let first = runs.first().map_or("", |run| run.policy.as_str());
    let (mine, daily) = (of(policy), of(first));
    let relative = |rate: fn(&Run) -> f64| {
        let pairs: Vec<(f64, f64)> = mine.iter().zip(&daily).map(|(mine, daily)| (rate(mine), rate(daily))).collect();
        Estimate::ratio(&pairs, resamples)
    };
    let days = mine.iter().map(|run| run.daily.len()).max().unwrap_or_default();
    let on = |day: usize| mean(mine.iter().filter_map(|run| *run.daily.get(day)?));
    InWorld {
        world,
        relative_1: relative(|run| run.served_1),
        relative_n: relative(|run| run.served_n),
        refreshes: mean(mine.iter().map(|run| run.refreshes as f64)).unwrap_or_default(),
        calls: mean(mine.iter().map(|run| run.calls as f64)).unwrap_or_default(),
        daily: (0..days).map(on).collect(),
    }
}

/// Days from the change on until most of what was lost is back, by rates of each day. Before is the week that ends a
/// week before the change: what comes true of the last week's predictions lies behind it.
fn recovery(daily: &[Option<f64>], turn: usize) -> Option<usize> {
    let before = mean(daily.get(turn.checked_sub(2 * AROUND)?..turn - AROUND)?.iter().flatten().copied())?;
    let after = daily.get(turn..)?;
    let (lowest, low) = (after.iter().take(AROUND).enumerate())
        .filter_map(|(day, rate)| Some((day, (*rate)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    let back = before - (1.0 - RECOVERED) * (before - low);
    let later = after.iter().enumerate().skip(lowest);
    later.filter(|(_, rate)| rate.is_some_and(|rate| rate >= back)).map(|(day, _)| day).next()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0, 0.0), |(n, sum), value| (n + 1, sum + value));
    (n > 0).then(|| sum / f64::from(n))
}

/// In the order of their first place.
fn distinct<'r, T: PartialEq>(runs: &'r [Run], of: impl Fn(&'r Run) -> T) -> Vec<T> {
    let mut found = Vec::new();
    for run in runs {
        let value = of(run);
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(world: &'static str, seed: u64, policy: &str, served_n: f64, refreshes: usize) -> Run {
        Run { world, seed, policy: policy.into(), served_1: 0.1, served_n, daily: Vec::new(), refreshes, calls: 7 }
    }

    #[test]
    fn the_cheapest_fixed_policy_must_hold_everywhere() {
        let mut runs = Vec::new();
        for (world, rates) in [("none", [0.5, 0.5, 0.499, 0.498]), ("slow", [0.5, 0.497, 0.48, 0.496])] {
            for (policy, (rate, refreshes)) in
                ["fixed:1d", "fixed:2d", "fixed:5d", "adaptive"].iter().zip(rates.into_iter().zip([20, 10, 4, 3]))
            {
                runs.extend([1, 2].map(|seed| run(world, seed, policy, rate, refreshes)));
            }
        }
        let summary = Summary::of(&runs, None, 10);
        assert_eq!((summary.cheapest_fixed.as_deref(), summary.adaptive_share), (Some("fixed:2d"), Some(0.3)));
        assert_eq!(summary.policies.iter().map(|line| line.holds).collect::<Vec<_>>(), [true, true, false, true]);
        assert_eq!((summary.policies[2].refreshes, summary.policies[2].worlds[1].calls), (8.0, 7.0));
        let share = summary.policies[2].worlds[1].relative_n.unwrap();
        assert!((share.value - 0.96).abs() < 1e-9, "{share:?}");
    }

    #[test]
    fn a_hit_rate_has_recovered_when_nine_tenths_of_the_loss_are_back() {
        let mut daily = vec![Some(0.5); 21];
        daily[14..].copy_from_slice(&[0.5, 0.3, 0.35, 0.4, 0.47, 0.481, 0.5].map(Some));
        assert_eq!(recovery(&daily, 14), Some(5));
        daily[19..].copy_from_slice(&[Some(0.4), None]);
        assert_eq!(recovery(&daily, 14), None);
        assert_eq!(recovery(&daily, 13), None, "there is no week to compare with");
    }
}
