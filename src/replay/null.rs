//! What chance alone makes of the similarity of neighbouring windows, and whether it explains what was found.

use serde::Serialize;

use crate::evaluation::{Estimate, Successors};

/// The normal distribution's 97.5 % point.
const Z: f64 = 1.96;

/// The mean similarity after both windows' transitions were dealt anew at random, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Null {
    /// Deals.
    pub deals: usize,
    /// The mean over deals.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

/// All pairs of neighbouring windows together: one by one they are mostly too noisy to tell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pooled {
    /// Pairs.
    pub pairs: usize,
    /// The mean similarity over pairs.
    pub mean: f64,
    /// The same, had nothing drifted.
    pub null: f64,
    /// The first less the second, in the 95 % interval that chance alone makes: below zero, there is drift.
    pub difference: Estimate,
}

impl Null {
    /// Of two windows; `None` without a deal that leaves them a key in common.
    pub fn of(one: &Successors, other: &Successors, deals: usize) -> Option<Self> {
        let similar = |seed| {
            let (one, other) = one.dealt(other, seed);
            Some(one.jaccard(&other, 0, u64::MAX)?.mean)
        };
        let means: Vec<f64> = (0..deals as u64).filter_map(similar).collect();
        let deals = means.len();
        let mean = means.iter().sum::<f64>() / deals as f64;
        let squares: f64 = means.iter().map(|of| (of - mean).powi(2)).sum();
        (deals > 0).then(|| Self { deals, mean, deviation: (squares / (deals - 1).max(1) as f64).sqrt() })
    }

    /// Where 95 % of deals would lie.
    pub fn interval(&self) -> (f64, f64) {
        (self.mean - Z * self.deviation, self.mean + Z * self.deviation)
    }

    /// Of a measured similarity less this mean, which is itself of so many deals only.
    fn variance(&self) -> f64 {
        self.deviation.powi(2) * (1.0 + 1.0 / self.deals as f64)
    }
}

impl Pooled {
    /// The difference as a share of the similarity without drift; `None` where that is nothing.
    pub fn share(&self) -> Option<f64> {
        (self.null > 0.0).then(|| self.difference.value / self.null)
    }

    /// Pairs in the order of time, each one's similarity and null; those without are left out.
    ///
    /// Neighbouring pairs share a window, so their errors are not independent; those of every other pair are. The two
    /// halves' errors are added as if they always went the same way, which makes the interval too wide rather than too
    /// narrow.
    pub fn of(pairs: &[Option<(f64, Null)>]) -> Option<Self> {
        let known: Vec<(f64, Null)> = pairs.iter().copied().flatten().collect();
        let count = known.len() as f64;
        let average = |of: fn(&(f64, Null)) -> f64| known.iter().map(of).sum::<f64>() / count;
        let (mean, null) = (average(|(mean, _)| *mean), average(|(_, null)| null.mean));
        let half =
            |first| pairs.iter().skip(first).step_by(2).flatten().map(|(_, null)| null.variance()).sum::<f64>().sqrt();
        let (value, error) = (mean - null, Z * (half(0) + half(1)) / count);
        let difference = Estimate { value, low: value - error, high: value + error };
        (!known.is_empty()).then_some(Self { pairs: known.len(), mean, null, difference })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::ids::ClusterId;

    /// A window of 150 transitions of 30 keys, each to one of twelve clusters, low ids far more often than high ones. By
    /// `turned`, that share of transitions goes to clusters that no other `window` has.
    fn window(rng: &mut ChaCha8Rng, window: u32, turned: f64) -> Successors {
        let mut counts: BTreeMap<u32, BTreeMap<ClusterId, u64>> = BTreeMap::new();
        for _ in 0..150 {
            let key = rng.random_range(0..30);
            let next = (12.0 * rng.random::<f64>().powi(2)) as u32;
            let moved = if rng.random_bool(turned) { 100 * (window + 1) } else { 0 };
            *counts.entry(key).or_default().entry(ClusterId(moved + next)).or_default() += 1;
        }
        let mut successors = Successors::default();
        counts.into_iter().for_each(|(key, next)| successors.add(vec![ClusterId(key)], next.into_iter().collect()));
        successors
    }

    /// Of so many logs of six windows: those in which drift is found, and those in which the opposite is.
    fn found(logs: u64, turned: f64) -> (usize, usize) {
        let pooled = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let windows: Vec<_> = (0..6).map(|nth| window(&mut rng, nth, turned)).collect();
            let pair = |pair: &[Successors]| {
                let mean = pair[0].jaccard(&pair[1], 0, u64::MAX)?.mean;
                Some((mean, Null::of(&pair[0], &pair[1], 20)?))
            };
            Pooled::of(&windows.windows(2).map(pair).collect::<Vec<_>>()).unwrap()
        };
        let all: Vec<Pooled> = (0..logs).map(pooled).collect();
        let drifted = all.iter().filter(|of| of.difference.high < 0.0).count();
        (drifted, all.iter().filter(|of| of.difference.low > 0.0).count())
    }

    #[test]
    fn chance_alone_is_seldom_taken_for_drift_and_drift_is_found() {
        // Of 100 at 2.5 % each, more than 8 come up once in a thousand.
        let (drifted, opposite) = found(100, 0.0);
        assert!(drifted <= 8 && opposite <= 8, "{drifted} and {opposite} of 100 logs without drift");
        let (drifted, _) = found(20, 0.5);
        assert!(drifted >= 18, "{drifted} of 20 drifting logs");
    }

    #[test]
    fn pairs_that_share_a_window_do_not_narrow_the_interval_together() {
        let null = Null { deals: 100, mean: 0.5, deviation: 0.1 };
        let error = |pairs: &[Option<(f64, Null)>]| {
            let of = Pooled::of(pairs).unwrap();
            (of.pairs, (of.difference.high - of.difference.value) / (Z * null.variance().sqrt()))
        };
        let pair = Some((0.4, null));
        let near = |(pairs, found): (usize, f64), expected: (usize, f64)| {
            assert!(pairs == expected.0 && (found - expected.1).abs() < 1e-12, "{found}");
        };
        near(error(&[pair]), (1, 1.0));
        near(error(&[pair, pair]), (2, 1.0));
        near(error(&[pair, None, pair]), (2, 0.5_f64.sqrt()));
        let of = Pooled::of(&[pair, pair]).unwrap();
        assert!((of.mean - 0.4).abs() + (of.null - 0.5).abs() + (of.difference.value + 0.1).abs() < 1e-12, "{of:?}");
        assert_eq!(Pooled::of(&[None]), None);
    }
}
