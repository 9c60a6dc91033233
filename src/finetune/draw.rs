//! Which samples are drawn: distinct ones, by a hash of the seed, within memory of labels x samples.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use xxhash_rust::xxh3::Xxh3;

use super::config::Labels;
use crate::ids::ClusterId;
use crate::retrieval::Context;

/// A place in the order of drawing: the hash of a sample, and the sample, so that equal hashes keep apart.
type Place = (u64, Vec<ClusterId>);

/// A key with what its prompt shows.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) key: Vec<ClusterId>,
    pub(super) next: ClusterId,
    pub(super) context: Context,
}

/// Collects samples of one part.
pub(super) struct Draw {
    seed: u64,
    /// The most that is drawn.
    most: usize,
    labels: BTreeMap<ClusterId, Label>,
}

/// The samples of one answer.
#[derive(Default)]
struct Label {
    /// Steps to it, repeated ones too.
    seen: u64,
    /// Its first in the order of drawing.
    first: BTreeMap<Place, Sample>,
}

impl Draw {
    pub(super) fn new(seed: u64, most: usize) -> Self {
        Self { seed, most, labels: BTreeMap::new() }
    }

    /// Takes one user's step. A sample that comes again shows its newest context.
    pub(super) fn add(&mut self, key: &[ClusterId], next: ClusterId, context: Context) {
        let place = (self.hash(key, next), key.to_vec());
        let label = self.labels.entry(next).or_default();
        label.seen += 1;
        label.first.insert(place, Sample { key: key.to_vec(), next, context });
        // What once fell out was behind `most` others, and stays so.
        if label.first.len() > self.most {
            label.first.pop_last();
        }
    }

    /// Draws, with the steps seen to each answer.
    pub(super) fn finish(self, labels: Labels) -> (Vec<Sample>, BTreeMap<ClusterId, u64>) {
        let seen = self.labels.iter().map(|(&id, label)| (id, label.seen)).collect();
        let weighed = |label: &Label| ((label.seen as f64).powf(labels.power()), label.first.len());
        let wanted = shares(&self.labels.values().map(weighed).collect::<Vec<_>>(), self.most);
        let drawn = self.labels.into_values().zip(wanted);
        let mut drawn: Vec<_> = drawn.flat_map(|(label, wanted)| label.first.into_iter().take(wanted)).collect();
        // Not in the order of labels: trainers that do not shuffle should see all of them.
        drawn.sort_by(|(one, a), (other, b)| one.cmp(other).then(a.next.cmp(&b.next)));
        (drawn.into_iter().map(|(_, sample)| sample).collect(), seen)
    }

    fn hash(&self, key: &[ClusterId], next: ClusterId) -> u64 {
        let mut hasher = Xxh3::with_seed(self.seed);
        key.iter().chain([&next]).for_each(|cluster| hasher.update(&cluster.0.to_le_bytes()));
        hasher.digest()
    }
}

/// How many of `total` go to each of the labels, given by weight and by how many there are: in proportion to the weights,
/// but that what one label lacks goes to the others. All of them where there are not more than `total`.
fn shares(labels: &[(f64, usize)], total: usize) -> Vec<usize> {
    let mut wanted = vec![0_usize; labels.len()];
    // Webster's method: the next goes to who has the least for its weight. The bits of positive numbers order as they do.
    let turn = |at: usize, given: usize| Reverse((((given as f64 + 0.5) / labels[at].0).to_bits(), at));
    let mut turns: BinaryHeap<_> = (0..labels.len()).filter(|&at| labels[at].1 > 0).map(|at| turn(at, 0)).collect();
    for _ in 0..total {
        let Some(Reverse((_, at))) = turns.pop() else { break };
        wanted[at] += 1;
        if wanted[at] < labels[at].1 {
            turns.push(turn(at, wanted[at]));
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_step_that_comes_again_is_one_sample_and_shows_what_was_known_last() {
        let step = |draw: &mut Draw, from, to, shown| {
            let successors = vec![crate::retrieval::Successor { cluster: ClusterId(shown), count: 1, change: None }];
            draw.add(&[ClusterId(from)], ClusterId(to), Context { successors, ..Context::default() });
        };
        let drawn = |seed| {
            let mut draw = Draw::new(seed, 3);
            (0..9).for_each(|from| step(&mut draw, from, 20, 0));
            (0..2).for_each(|shown| step(&mut draw, 9, 21, shown));
            draw.finish(Labels::Balanced)
        };
        let (samples, seen) = drawn(1);
        assert_eq!(seen, BTreeMap::from([(ClusterId(20), 9), (ClusterId(21), 2)]));
        let again: Vec<_> = samples.iter().filter(|sample| sample.next == ClusterId(21)).collect();
        assert_eq!((samples.len(), again.len(), again[0].context.successors[0].cluster), (3, 1, ClusterId(1)));
        let keys = |seed| drawn(seed).0.into_iter().map(|sample| sample.key).collect::<Vec<_>>();
        assert_eq!(keys(1), keys(1));
        assert!((2..9).any(|seed| keys(seed) != keys(1)));
    }

    #[test]
    fn labels_are_drawn_as_told_and_what_one_lacks_goes_to_the_others() {
        let draw = |labels: Labels, total| {
            let seen = [100.0_f64, 25.0, 1.0];
            shares(&seen.map(|seen| (seen.powf(labels.power()), seen as usize)), total)
        };
        assert_eq!(draw(Labels::Natural, 60), [48, 12, 0]);
        assert_eq!(draw(Labels::Tempered, 32), [21, 10, 1]);
        assert_eq!(draw(Labels::Balanced, 21), [10, 10, 1]);
        assert_eq!(draw(Labels::Balanced, 1_000), [100, 25, 1]);
    }

    proptest! {
        #[test]
        fn all_is_given_and_never_more_than_there_is(
            labels in prop::collection::vec((1..10_000_u64, 0..50_usize), 0..40), total in 0..500_usize,
        ) {
            let labels: Vec<_> = labels.into_iter().map(|(weight, have)| (weight as f64, have)).collect();
            let given = shares(&labels, total);
            prop_assert_eq!(given.iter().sum::<usize>(), total.min(labels.iter().map(|label| label.1).sum()));
            prop_assert!(given.iter().zip(&labels).all(|(&given, label)| given <= label.1));
        }
    }
}
