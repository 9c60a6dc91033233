//! What one prompt shows of recent behaviour.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::config::{Config, Granularity, Similarity};
use crate::ids::ClusterId;

/// Transitions in a global context.
pub const GLOBAL_TOP: usize = 100;

/// The recent behaviour that one key's prompt shows; at most one of the two is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The key's own successors, the one that stands out most first.
    pub successors: Vec<Successor>,
    /// Transitions of everyone, the same for all keys.
    pub transitions: Arc<[Transition]>,
}

/// A cluster that followed, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The cluster.
    pub cluster: ClusterId,
    /// Times in the window.
    pub count: u64,
    /// By trend: `count` less the times in the window before; never 0.
    pub change: Option<i64>,
}

/// A key with what followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The key, oldest cluster first.
    pub key: Vec<ClusterId>,
    /// What followed.
    pub next: Successor,
}

/// What a prompt shows of a context; two that are equal read the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shown {
    successors: Vec<ShownNext>,
    transitions: Vec<(Vec<ClusterId>, ShownNext)>,
}

/// What followed, and by trend whether it rose or fell.
type ShownNext = (ClusterId, Option<i64>);

impl Context {
    /// The context of one key: `now` and `before` are the counts of its successors in the window and in the one before
    /// it, in any order. Ties go by id. By trend, what did not change is no trend and left out; by frequency, `before`
    /// is not looked at.
    pub fn instance(config: &Config, now: &[(ClusterId, u64)], before: &[(ClusterId, u64)]) -> Self {
        let mut successors = match config.granularity {
            Granularity::Instance => weighed(config.similarity, now, before),
            Granularity::Global => Vec::new(),
        };
        successors.sort_unstable_by_key(Successor::rank);
        successors.truncate(config.top);
        Self { successors, ..Self::default() }
    }

    /// Whether a prompt reads the same with either: prompts show no counts.
    pub fn shows_as(&self, other: &Self) -> bool {
        self.shown() == other.shown()
    }

    /// All that a prompt shows of it.
    pub fn shown(&self) -> Shown {
        let transition = |transition: &Transition| (transition.key.clone(), transition.next.shown());
        Shown {
            successors: self.successors.iter().map(Successor::shown).collect(),
            transitions: self.transitions.iter().map(transition).collect(),
        }
    }
}

impl Successor {
    fn shown(&self) -> ShownNext {
        (self.cluster, self.change.map(i64::signum))
    }

    fn rank(&self) -> (Reverse<u64>, ClusterId) {
        (Reverse(self.change.map_or(self.count, i64::unsigned_abs)), self.cluster)
    }
}

/// The successors with their counts, or changes of count, over the union of both windows.
fn weighed(similarity: Similarity, now: &[(ClusterId, u64)], before: &[(ClusterId, u64)]) -> Vec<Successor> {
    let times = |counts: &[(ClusterId, u64)], cluster| {
        counts.iter().filter(|&&(found, _)| found == cluster).map(|&(_, count)| count).sum::<u64>()
    };
    match similarity {
        Similarity::Frequency => {
            now.iter().map(|&(cluster, count)| Successor { cluster, count, change: None }).collect()
        }
        Similarity::Trend => {
            let union: BTreeSet<ClusterId> = now.iter().chain(before).map(|&(cluster, _)| cluster).collect();
            let changes = union.into_iter().map(|cluster| {
                let count = times(now, cluster);
                let change = count.cast_signed().saturating_sub(times(before, cluster).cast_signed());
                Successor { cluster, count, change: Some(change) }
            });
            changes.filter(|successor| successor.change != Some(0)).collect()
        }
    }
}

/// Collects the top transitions overall, key by key, within a memory of twice [`GLOBAL_TOP`] and one key.
#[derive(Debug)]
pub struct Global {
    similarity: Similarity,
    top: Vec<Transition>,
}

impl Global {
    /// Starts with none.
    pub fn new(config: &Config) -> Self {
        Self { similarity: config.similarity, top: Vec::new() }
    }

    /// Adds what followed `key`, as [`Context::instance`] takes it. Ties go by key, then by what followed.
    pub fn add(&mut self, key: &[ClusterId], now: &[(ClusterId, u64)], before: &[(ClusterId, u64)]) {
        for next in weighed(self.similarity, now, before) {
            self.top.push(Transition { key: key.to_vec(), next });
            if self.top.len() >= 2 * GLOBAL_TOP {
                self.cut();
            }
        }
    }

    /// The context of every key.
    pub fn finish(mut self) -> Context {
        self.cut();
        Context { transitions: self.top.into(), ..Context::default() }
    }

    fn cut(&mut self) {
        let rank = |transition: &Transition| transition.next.rank().0;
        self.top.sort_unstable_by(|a, b| (rank(a), &a.key, a.next.cluster).cmp(&(rank(b), &b.key, b.next.cluster)));
        self.top.truncate(GLOBAL_TOP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(u32, u64)]) -> Vec<(ClusterId, u64)> {
        pairs.iter().map(|&(cluster, count)| (ClusterId(cluster), count)).collect()
    }

    fn shown(config: &Config, now: &[(u32, u64)], before: &[(u32, u64)]) -> Vec<(u32, u64, Option<i64>)> {
        let context = Context::instance(config, &counts(now), &counts(before));
        context.successors.iter().map(|next| (next.cluster.0, next.count, next.change)).collect()
    }

    #[test]
    fn frequency_shows_the_papers_most_frequent_successor() {
        // Section 2.3.1: {(c1, c2, c3): 10, (c1, c2, c4): 8, (c1, c2, c5): 2}.
        let now = [(3, 10), (4, 8), (5, 2)];
        assert_eq!(shown(&Config::default(), &now, &[(9, 99)]), [(3, 10, None)]);
        let three = Config { top: 3, ..Config::default() };
        assert_eq!(shown(&three, &[(9, 2), (1, 2), (5, 7)], &[]), [(5, 7, None), (1, 2, None), (9, 2, None)]);
        assert_eq!(shown(&Config { top: 0, ..Config::default() }, &now, &[]), []);
    }

    #[test]
    fn trend_shows_the_largest_change_either_way_over_both_windows() {
        let trend = Config { similarity: Similarity::Trend, top: 3, ..Config::default() };
        let (now, before) = ([(1, 5), (2, 9), (3, 4)], [(2, 1), (3, 4), (4, 8), (5, 1)]);
        assert_eq!(shown(&trend, &now, &before), [(2, 9, Some(8)), (4, 0, Some(-8)), (1, 5, Some(5))]);
        assert_eq!(shown(&trend, &[(3, 4)], &[(3, 4)]), [], "what stays is no trend");
    }

    #[test]
    fn a_global_context_holds_the_top_hundred_of_all_keys_whatever_their_order() {
        let config = Config { granularity: Granularity::Global, ..Config::default() };
        let keys: Vec<u32> = (0..500).collect();
        let collect = |keys: &mut dyn Iterator<Item = u32>| {
            let mut global = Global::new(&config);
            keys.for_each(|key| global.add(&[ClusterId(key)], &counts(&[(key + 1, u64::from(key / 2))]), &[]));
            global.finish()
        };
        let context = collect(&mut keys.iter().copied());
        assert_eq!(context, collect(&mut keys.iter().rev().copied()));
        assert!(context.successors.is_empty() && context.transitions.len() == GLOBAL_TOP);
        let firsts: Vec<u32> = context.transitions.iter().map(|transition| transition.key[0].0).take(4).collect();
        assert_eq!(firsts, [498, 499, 496, 497], "ties go by key");
        assert_eq!(Context::instance(&config, &counts(&[(1, 1)]), &[]), Context::default());
    }
}
