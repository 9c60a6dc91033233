//! Which keys are asked for, and in which order they matter.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::config::Keys;
use crate::ids::ClusterId;
use crate::retrieval::Context;

/// A key to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The history, oldest cluster first.
    pub key: Vec<ClusterId>,
    /// What its prompt shows.
    pub context: Context,
}

/// Collects the keys that were observed, within a memory of twice the most that are asked for.
#[derive(Debug)]
pub struct Observed {
    keys: Keys,
    max: usize,
    found: Vec<(u64, Vec<ClusterId>)>,
}

impl Observed {
    /// Starts with none; at most `max` keys will be asked for.
    pub fn new(keys: Keys, max: usize) -> Self {
        Self { keys, max, found: Vec::new() }
    }

    /// Adds a key seen `count` times.
    pub fn add(&mut self, key: &[ClusterId], count: u64) {
        let least = match self.keys {
            Keys::Every => 1,
            Keys::Observed(least) => least.max(1),
        };
        if count >= least {
            self.found.push((count, key.to_vec()));
            if self.found.len() >= self.max.saturating_mul(2) {
                self.cut();
            }
        }
    }

    /// The keys in the order in which they matter: by count, descending, ties by id; then, where every history is
    /// wanted, the other histories of `k` distinct clusters of `active`, by id.
    pub fn finish(mut self, k: usize, active: &[ClusterId]) -> Vec<Vec<ClusterId>> {
        self.cut();
        let observed: HashSet<Vec<ClusterId>> = self.found.iter().map(|(_, key)| key.clone()).collect();
        let mut keys: Vec<Vec<ClusterId>> = self.found.into_iter().map(|(_, key)| key).collect();
        if self.keys == Keys::Every {
            let room = self.max - keys.len();
            keys.extend(histories(k, active).filter(|key| !observed.contains(key)).take(room));
        }
        keys
    }

    fn cut(&mut self) {
        self.found.sort_unstable_by(|(a, first), (b, second)| (Reverse(a), first).cmp(&(Reverse(b), second)));
        self.found.truncate(self.max);
    }
}

/// Every sequence of `k` distinct clusters, ascending.
fn histories(k: usize, clusters: &[ClusterId]) -> impl Iterator<Item = Vec<ClusterId>> {
    let mut clusters = clusters.to_vec();
    clusters.sort_unstable();
    clusters.dedup();
    let mut next = (k > 0 && k <= clusters.len()).then(|| (0..k).collect::<Vec<usize>>());
    std::iter::from_fn(move || {
        let places = next.take()?;
        next = successor(places.clone(), clusters.len());
        Some(places.into_iter().map(|place| clusters[place]).collect())
    })
}

/// The next sequence of distinct places below `n`.
fn successor(mut places: Vec<usize>, n: usize) -> Option<Vec<usize>> {
    let k = places.len();
    while let Some(last) = places.pop() {
        if let Some(larger) = (last + 1..n).find(|place| !places.contains(place)) {
            places.push(larger);
            for place in 0..n {
                if places.len() < k && !places.contains(&place) {
                    places.push(place);
                }
            }
            return Some(places);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ids: &[u32]) -> Vec<ClusterId> {
        ids.iter().copied().map(ClusterId).collect()
    }

    fn ids(keys: &[Vec<ClusterId>]) -> Vec<Vec<u32>> {
        keys.iter().map(|key| key.iter().map(|cluster| cluster.0).collect()).collect()
    }

    fn planned(keys: Keys, max: usize) -> Vec<Vec<u32>> {
        let mut observed = Observed::new(keys, max);
        for (seen, count) in [([1, 2], 2), ([3, 1], 9), ([2, 1], 2), ([2, 3], 1)] {
            observed.add(&key(&seen), count);
        }
        ids(&observed.finish(2, &key(&[3, 1, 2])))
    }

    #[test]
    fn what_is_observed_most_matters_most_and_every_other_history_follows() {
        let all = [[3, 1], [1, 2], [2, 1], [2, 3], [1, 3], [3, 2]];
        assert_eq!(planned(Keys::Every, 100), all);
        assert_eq!(planned(Keys::Every, 5), all[..5]);
        assert_eq!(planned(Keys::Every, 1), all[..1]);
        assert_eq!(planned(Keys::Observed(2), 100), all[..3]);
        assert_eq!(planned(Keys::Observed(0), 100), all[..4]);
    }

    #[test]
    fn there_are_as_many_histories_as_arithmetic_says() {
        for (k, n) in [(1, 5), (2, 5), (3, 5), (4, 6), (2, 2), (3, 2), (2, 0)] {
            let clusters: Vec<_> = (0..n).map(ClusterId).collect();
            let found: Vec<_> = histories(k, &clusters).collect();
            let mut expected = 1;
            (0..k as u32).for_each(|taken| expected *= n.saturating_sub(taken));
            assert_eq!(found.len(), expected as usize, "k = {k}, n = {n}");
            assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0] != pair[1]));
            assert!(found.iter().all(|key| key.iter().collect::<HashSet<_>>().len() == k));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_bounded_memory_keeps_what_sorting_all_would(
            seen in proptest::collection::btree_map((0u32..30, 0u32..30), 1u64..6, 0..120),
            max in 1usize..20,
        ) {
            let mut observed = Observed::new(Keys::Observed(2), max);
            let mut all: Vec<_> = seen.into_iter().filter(|&((a, b), _)| a != b).collect();
            all.iter().for_each(|&((a, b), count)| observed.add(&key(&[a, b]), count));
            all.retain(|&(_, count)| count >= 2);
            all.sort_by_key(|&(ids, count)| (Reverse(count), ids));
            let expected: Vec<Vec<u32>> = all.into_iter().take(max).map(|((a, b), _)| vec![a, b]).collect();
            proptest::prop_assert_eq!(ids(&observed.finish(2, &[])), expected);
        }
    }
}
