//! Recall (section 2.2): how often a held-out user does come to the cluster that is predicted for them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::interval::Estimate;
use crate::ids::ClusterId;

/// Times that the users are drawn anew for the interval.
const RESAMPLES: usize = 1000;

/// Over every held-out position that has a successor, the share whose predicted cluster occurs later in the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Held-out users.
    pub users: u64,
    /// Their positions.
    pub positions: u64,
    /// Positions whose prediction came true.
    pub hits: u64,
    /// Hits as a share of positions.
    pub recall: f64,
    /// The lower end of its 95 % interval: a bootstrap over users, whose positions are not independent.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// What a cluster drawn at random among those that are new to the user would reach: its expectation.
    pub random: f64,
}

impl Recall {
    /// The share with its interval.
    pub fn estimate(&self) -> Estimate {
        Estimate { value: self.recall, low: self.low, high: self.high }
    }
}

/// One user's part.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    positions: u64,
    hits: u64,
    random: f64,
}

/// Recall in the making: 24 bytes a user.
#[derive(Clone, Debug)]
pub struct RecallTally {
    clusters: usize,
    least: usize,
    users: Vec<Tally>,
}

impl RecallTally {
    /// No user yet; predictions are among so many clusters, at positions with at least `least` clusters before them: 1 for
    /// a table, which backs off, `k` for a model that is asked about full keys only.
    pub fn new(clusters: usize, least: usize) -> Self {
        Self { clusters, least: least.max(1), users: Vec::new() }
    }

    /// Takes a user's sequences. `predict` is asked at each position with the sequence up to it, oldest first.
    pub fn take(&mut self, sequences: &[Vec<ClusterId>], mut predict: impl FnMut(&[ClusterId]) -> Option<ClusterId>) {
        let mut tally = Tally::default();
        for sequence in sequences {
            let places: HashMap<ClusterId, usize> = sequence.iter().copied().zip(1..).collect();
            for met in self.least..sequence.len() {
                let later = sequence.len() - met;
                let is_later = |cluster| places.get(&cluster).is_some_and(|&place| place > met);
                tally.positions += 1;
                tally.hits += u64::from(predict(&sequence[..met]).is_some_and(is_later));
                tally.random += later as f64 / self.clusters.saturating_sub(met).max(later) as f64;
            }
        }
        if tally.positions > 0 {
            self.users.push(tally);
        }
    }

    /// What it adds up to; `None` where there is no position.
    pub fn finish(&self) -> Option<Recall> {
        let sum = self.users.iter().fold(Tally::default(), |sum, user| Tally {
            positions: sum.positions + user.positions,
            hits: sum.hits + user.hits,
            random: sum.random + user.random,
        });
        let users: Vec<(f64, f64)> = self.users.iter().map(|user| (user.hits as f64, user.positions as f64)).collect();
        let Estimate { value, low, high } = Estimate::ratio(&users, RESAMPLES)?;
        let (users, Tally { positions, hits, random }) = (self.users.len() as u64, sum);
        Some(Recall { users, positions, hits, recall: value, low, high, random: random / positions as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u32]) -> Vec<ClusterId> {
        ids.iter().copied().map(ClusterId).collect()
    }

    #[test]
    fn a_prediction_counts_where_it_comes_later_in_the_same_sequence() {
        let mut tally = RecallTally::new(5, 1);
        let mut asked = Vec::new();
        tally.take(&[ids(&[1, 2, 3]), ids(&[4, 3])], |history| {
            asked.push(history.to_vec());
            Some(ClusterId(3))
        });
        assert_eq!(asked, [ids(&[1]), ids(&[1, 2]), ids(&[4])]);
        let recall = tally.finish().unwrap();
        assert_eq!((recall.users, recall.positions, recall.hits, recall.recall), (1, 3, 3, 1.0));
        // After 1 two of the four others come, after 1, 2 one of three, after 4 one of four.
        assert!((recall.random - (2.0 / 4.0 + 1.0 / 3.0 + 1.0 / 4.0) / 3.0).abs() < 1e-12);
        assert_eq!((recall.low, recall.high), (1.0, 1.0));
    }

    #[test]
    fn a_model_is_not_asked_before_a_key_is_whole() {
        let mut tally = RecallTally::new(9, 2);
        let mut asked = Vec::new();
        tally.take(&[ids(&[1, 2, 3, 4]), ids(&[5, 6])], |history| {
            asked.push(history.to_vec());
            Some(ClusterId(4))
        });
        tally.take(&[ids(&[7, 8])], |_| None);
        assert_eq!(asked, [ids(&[1, 2]), ids(&[1, 2, 3])]);
        let recall = tally.finish().unwrap();
        assert_eq!((recall.users, recall.positions, recall.hits), (1, 2, 2));
    }

    #[test]
    fn what_came_before_or_never_is_no_hit() {
        let mut tally = RecallTally::new(5, 1);
        tally.take(&[ids(&[1, 2, 3])], |_| Some(ClusterId(1)));
        tally.take(&[ids(&[1, 2])], |_| None);
        tally.take(&[ids(&[1])], |_| Some(ClusterId(2)));
        let recall = tally.finish().unwrap();
        assert_eq!((recall.users, recall.positions, recall.hits), (2, 3, 0));
        assert_eq!(RecallTally::new(5, 1).finish(), None);
    }

    #[test]
    fn the_interval_is_that_of_users_and_comes_out_the_same_again() {
        let mut tally = RecallTally::new(100, 1);
        for user in 0..200_u32 {
            tally.take(&[ids(&[1, 2])], |_| Some(ClusterId(if user % 4 == 0 { 2 } else { 3 })));
        }
        let recall = tally.finish().unwrap();
        // A quarter of 200 independent users: 0.25 +- 1.96 * sqrt(0.25 * 0.75 / 200) = 0.19 to 0.31.
        assert!((recall.low - 0.19).abs() < 0.015 && (recall.high - 0.31).abs() < 0.015, "{recall:?}");
        assert_eq!(tally.finish(), Some(recall));
    }
}
