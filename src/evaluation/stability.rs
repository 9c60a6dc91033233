//! Stability: how the top successors of a key change from window to window (section 2.1, and 3.1 with Figure 3b).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::interval::Estimate;
use crate::ids::ClusterId;

/// The successors whose similarity section 2.1 measures.
const COMPARED: usize = 5;

/// The successors of every key of one window with their counts: the most frequent first, ties by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Successors(BTreeMap<Vec<ClusterId>, Ranked>);

type Ranked = Vec<(ClusterId, u64)>;

/// The Jaccard similarity of top-5 successors, over keys seen in both windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Jaccard {
    /// Keys seen in both.
    pub keys: u64,
    /// The mean over them.
    pub mean: f64,
    /// The variance over them.
    pub variance: f64,
}

impl Successors {
    /// Takes what followed one key.
    pub fn add(&mut self, key: Vec<ClusterId>, mut next: Vec<(ClusterId, u64)>) {
        next.sort_unstable_by_key(|&(cluster, count)| (Reverse(count), cluster));
        self.0.insert(key, next);
    }

    /// The keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The share of keys seen in both windows whose `k` most frequent successors are the same set. `None` without such
    /// keys.
    pub fn identical(&self, other: &Self, k: usize) -> Option<Estimate> {
        let (mut common, mut identical) = (0, 0);
        for (here, there) in self.common(other) {
            common += 1;
            identical += u64::from(set(here, k) == set(there, k));
        }
        Estimate::share(identical, common)
    }

    /// The similarity over keys seen in both windows, of those whose support, in the window where they have less, is at
    /// least `from` and below `below`. `None` without such keys.
    pub fn jaccard(&self, other: &Self, from: u64, below: u64) -> Option<Jaccard> {
        let supported = |(here, there): &(&Ranked, &Ranked)| (from..below).contains(&support(here).min(support(there)));
        let similar = |(here, there)| {
            let (here, there) = (set(here, COMPARED), set(there, COMPARED));
            here.intersection(&there).count() as f64 / here.union(&there).count().max(1) as f64
        };
        let (mut keys, mut mean, mut squares) = (0_u64, 0.0, 0.0);
        for similarity in self.common(other).filter(supported).map(similar) {
            // Welford's update.
            keys += 1;
            let before = similarity - mean;
            mean += before / keys as f64;
            squares += before * (similarity - mean);
        }
        (keys > 0).then(|| Jaccard { keys, mean, variance: squares / keys as f64 })
    }

    /// Two windows with as many transitions as these two, and all of theirs, dealt at random by `seed`: had nothing
    /// drifted, these two would be as alike.
    pub fn dealt(&self, other: &Self, seed: u64) -> (Self, Self) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let all = |window: &Self| window.0.values().map(support).sum::<u64>();
        let (mut left_first, mut left) = (all(self), all(self) + all(other));
        let mut pooled: BTreeMap<&Vec<ClusterId>, BTreeMap<ClusterId, u64>> = BTreeMap::new();
        for (key, next) in self.0.iter().chain(&other.0) {
            let counts = pooled.entry(key).or_default();
            next.iter().for_each(|&(cluster, count)| *counts.entry(cluster).or_default() += count);
        }
        let (mut first, mut second) = (Self::default(), Self::default());
        for (key, counts) in pooled {
            let (mut here, mut there) = (Ranked::new(), Ranked::new());
            for (cluster, count) in counts {
                let mut drawn = 0;
                for _ in 0..count {
                    let is_first = rng.random_range(0..left) < left_first;
                    (drawn, left_first, left) =
                        (drawn + u64::from(is_first), left_first - u64::from(is_first), left - 1);
                }
                here.extend((drawn > 0).then_some((cluster, drawn)));
                there.extend((drawn < count).then_some((cluster, count - drawn)));
            }
            for (window, next) in [(&mut first, here), (&mut second, there)] {
                if !next.is_empty() {
                    window.add(key.clone(), next);
                }
            }
        }
        (first, second)
    }

    fn common<'s>(&'s self, other: &'s Self) -> impl Iterator<Item = (&'s Ranked, &'s Ranked)> {
        self.0.iter().filter_map(|(key, here)| Some((here, other.0.get(key)?)))
    }
}

fn support(ranked: &Ranked) -> u64 {
    ranked.iter().map(|&(_, count)| count).sum()
}

fn set(ranked: &Ranked, k: usize) -> HashSet<ClusterId> {
    ranked.iter().take(k).map(|&(cluster, _)| cluster).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(keys: &[(u32, &[(u32, u64)])]) -> Successors {
        let mut successors = Successors::default();
        for (key, next) in keys {
            let next = next.iter().map(|&(cluster, count)| (ClusterId(cluster), count)).collect();
            successors.add(vec![ClusterId(*key)], next);
        }
        successors
    }

    #[test]
    fn sets_are_compared_whatever_their_order() {
        let first = window(&[(1, &[(5, 9), (6, 8), (7, 1)]), (2, &[(5, 1)]), (3, &[(9, 1)])]);
        let second = window(&[(1, &[(6, 4), (5, 2), (8, 1)]), (2, &[(5, 7)]), (4, &[(9, 1)])]);
        let shares = [1, 2, 5].map(|k| first.identical(&second, k).unwrap().value);
        assert_eq!(shares, [0.5, 1.0, 0.5]);
        // {5, 6, 7} beside {5, 6, 8}: two of four; {5} beside {5}: all.
        assert_eq!(first.jaccard(&second, 0, u64::MAX), Some(Jaccard { keys: 2, mean: 0.75, variance: 0.0625 }));
        // The first key has 18 and 7, the second 1 and 7.
        assert_eq!(first.jaccard(&second, 2, u64::MAX).unwrap().keys, 1);
        assert_eq!(first.jaccard(&second, 2, 7), None);
    }

    #[test]
    fn a_deal_keeps_every_transition_and_both_sizes() {
        let first = window(&[(1, &[(5, 90), (6, 10)]), (2, &[(5, 1)])]);
        let second = window(&[(1, &[(7, 50)]), (3, &[(9, 20)])]);
        let sizes = |of: &Successors| of.0.values().map(support).sum::<u64>();
        let dealt = first.dealt(&second, 7);
        assert_eq!((sizes(&dealt.0), sizes(&dealt.1)), (101, 70));
        assert_eq!(dealt, first.dealt(&second, 7));
        assert_ne!(dealt, first.dealt(&second, 8));
        let count = |of: &Successors, cluster: u32| {
            let next = of.0.get(&vec![ClusterId(1)]).into_iter().flatten();
            next.filter(|next| next.0 == ClusterId(cluster)).map(|next| next.1).sum::<u64>()
        };
        for (cluster, total) in [(5, 90), (6, 10), (7, 50)] {
            assert_eq!(count(&dealt.0, cluster) + count(&dealt.1, cluster), total);
        }
        // Of 90, the first hand gets 101/171: 53, with a standard deviation of 3.2 drawn without replacement.
        assert!(count(&dealt.0, 5).abs_diff(53) < 16);
    }

    #[test]
    fn ties_go_by_id() {
        let first = window(&[(1, &[(9, 1), (2, 1)])]);
        assert_eq!(first.identical(&window(&[(1, &[(2, 1)])]), 1).unwrap().value, 1.0);
    }
}
