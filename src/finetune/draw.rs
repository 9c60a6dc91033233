//! Which samples are drawn: distinct ones, each the sooner the more often its step was made, by hashes of the seed, within
//! memory of labels x samples.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use xxhash_rust::xxh3::Xxh3;

use super::config::Labels;
use crate::ids::ClusterId;
use crate::interactions::Moved;
use crate::retrieval::{Context, Shown};

/// What a prompt reads: a key, and what is shown of it. Steps of one text to one answer are one sample.
type Text = (Vec<ClusterId>, Shown);

/// A place in the order of drawing.
type Place = (u64, Text);

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
    /// Where those stand.
    places: HashMap<Text, u64>,
}

impl Draw {
    pub(super) fn new(seed: u64, most: usize) -> Self {
        Self { seed, most, labels: BTreeMap::new() }
    }

    /// Takes one user's step.
    pub(super) fn add(&mut self, step: &Moved, context: Context) {
        let hash = self.hash(step);
        let label = self.labels.entry(step.next).or_default();
        label.seen += 1;
        label.add(hash, Sample { key: step.key.clone(), next: step.next, context }, self.most);
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

    fn hash(&self, step: &Moved) -> u64 {
        let mut hasher = Xxh3::with_seed(self.seed);
        step.key.iter().chain([&step.next]).for_each(|cluster| hasher.update(&cluster.0.to_le_bytes()));
        hasher.update(&step.user.to_le_bytes());
        hasher.update(&step.at.timestamp_micros().to_le_bytes());
        hasher.digest()
    }
}

impl Label {
    /// A sample stands at the first of its steps' hashes. The smallest of n even draws comes first as often as n is of all:
    /// so samples are drawn in proportion to their steps, without replacement, and what follows a key most is learnt most.
    fn add(&mut self, hash: u64, sample: Sample, most: usize) {
        let text = (sample.key.clone(), sample.context.shown());
        let known = self.places.get(&text).copied();
        if let Some(known) = known {
            self.first.remove(&(known, text.clone()));
        }
        let place = known.map_or(hash, |known| known.min(hash));
        self.places.insert(text.clone(), place);
        self.first.insert((place, text), sample);
        if self.first.len() > most
            && let Some(((_, text), _)) = self.first.pop_last()
        {
            self.places.remove(&text);
        }
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
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::interactions::Part;
    use crate::retrieval::Successor;

    fn step(from: u32, to: u32, second: i64) -> Moved {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        Moved {
            key: vec![ClusterId(from)],
            next: ClusterId(to),
            began: at,
            at,
            user: 1,
            part: Part::Train,
            novel: true,
        }
    }

    fn shown(cluster: u32, count: u64) -> Context {
        let successors = vec![Successor { cluster: ClusterId(cluster), count, change: None }];
        Context { successors, ..Context::default() }
    }

    #[test]
    fn a_text_that_comes_again_is_one_sample() {
        let drawn = |seed| {
            let mut draw = Draw::new(seed, 4);
            (0..9).for_each(|from| draw.add(&step(from, 20, 0), shown(1, 1)));
            (0..2).for_each(|second| draw.add(&step(9, 21, second), shown(1, 1 + second as u64)));
            draw.add(&step(9, 21, 2), shown(2, 1));
            draw.finish(Labels::Balanced)
        };
        let (samples, seen) = drawn(1);
        assert_eq!(seen, BTreeMap::from([(ClusterId(20), 9), (ClusterId(21), 3)]));
        let of_21 = samples.iter().filter(|sample| sample.next == ClusterId(21));
        let mut texts: Vec<_> = of_21.map(|sample| sample.context.successors[0].cluster.0).collect();
        texts.sort_unstable();
        assert_eq!((samples.len(), texts), (4, vec![1, 2]), "counts are not shown");
        let keys = |seed| drawn(seed).0.into_iter().map(|sample| sample.key).collect::<Vec<_>>();
        assert_eq!(keys(1), keys(1));
        assert!((2..9).any(|seed| keys(seed) != keys(1)));
    }

    #[test]
    fn what_follows_a_key_more_often_is_drawn_more_often() {
        let first = |seed| {
            let mut draw = Draw::new(seed, 1);
            // Of a key's four followers, one comes nine times.
            for second in 0..12_i64 {
                draw.add(&step(1 + (second - 8).max(0) as u32, 20, second), Context::default());
            }
            draw.finish(Labels::Natural).0[0].key[0].0
        };
        let often = (0..1_000).filter(|&seed| first(seed) == 1).count();
        // Nine in twelve; the binomial deviation is 14.
        assert!((700..800).contains(&often), "{often}");
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
