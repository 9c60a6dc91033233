//! What a language model's answers are like, tallied while they come: each in constant memory, whatever their number.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::ids::ClusterId;

/// The figures of one bulk run. Who asks the model tells of each answer; the gates read what it adds up to.
#[derive(Clone, Debug)]
pub struct Answers {
    exact_match: ExactMatch,
    fallbacks: Fallbacks,
    /// Clusters of the taxonomy.
    clusters: u64,
    /// The most popular first.
    popular: Vec<ClusterId>,
    answered: HashMap<ClusterId, u64>,
    keys: u64,
    most_popular: u64,
    own: u64,
}

/// Exact match (section 2.2): of so many unconstrained answers, so many were one cluster's description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactMatch {
    /// Unconstrained answers.
    pub asked: u64,
    /// Those that, trimmed, equal a description.
    pub matched: u64,
}

/// Keys whose model answers could not be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallbacks {
    /// Keys asked.
    pub asked: u64,
    /// Those that fell back to what was retrieved.
    pub fell_back: u64,
}

/// How varied the first answers are. A small tuned model can reach full exact match and good recall with six of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collapse {
    /// Keys that were answered with a cluster.
    pub keys: u64,
    /// Clusters of the taxonomy.
    pub clusters: u64,
    /// Distinct answers.
    pub distinct: u64,
    /// The answer given most often; ties by id.
    pub largest: Option<ClusterId>,
    /// The keys that it was given to.
    pub largest_keys: u64,
    /// Keys answered with the most popular cluster that is not their own.
    pub most_popular: u64,
    /// Of the unconstrained answers that match exactly, those that name a cluster of the key itself. Constrained ones tell
    /// nothing of copying: the best whole name need not be what the model would say, and the next one stands in.
    pub own: u64,
}

impl Answers {
    /// No answer yet, of a model that may name any of `clusters`; `popular` names them by popularity, the most popular
    /// first.
    pub fn new(clusters: u64, popular: Vec<ClusterId>) -> Self {
        let (exact_match, fallbacks) = (ExactMatch::default(), Fallbacks::default());
        Self { exact_match, fallbacks, clusters, popular, answered: HashMap::new(), keys: 0, most_popular: 0, own: 0 }
    }

    /// Takes unconstrained answers, of which `own` name a cluster of the key itself.
    pub fn free(&mut self, answers: ExactMatch, own: u64) {
        self.exact_match.asked += answers.asked;
        self.exact_match.matched += answers.matched;
        self.own += own;
    }

    /// Takes what a key was answered with first, before own clusters were taken out; `None` where no answer could be
    /// used and the key fell back.
    pub fn key(&mut self, key: &[ClusterId], answer: Option<ClusterId>) {
        self.fallbacks.asked += 1;
        let Some(answer) = answer else {
            self.fallbacks.fell_back += 1;
            return;
        };
        self.keys += 1;
        *self.answered.entry(answer).or_default() += 1;
        let novel = self.popular.iter().find(|cluster| !key.contains(cluster));
        self.most_popular += u64::from(novel == Some(&answer));
    }

    /// Exact match so far.
    pub fn exact_match(&self) -> ExactMatch {
        self.exact_match
    }

    /// Fallbacks so far.
    pub fn fallbacks(&self) -> Fallbacks {
        self.fallbacks
    }

    /// How varied the answers are so far.
    pub fn collapse(&self) -> Collapse {
        let largest = self.answered.iter().max_by_key(|&(&cluster, &keys)| (keys, std::cmp::Reverse(cluster)));
        Collapse {
            keys: self.keys,
            clusters: self.clusters,
            distinct: self.answered.len() as u64,
            largest: largest.map(|(&cluster, _)| cluster),
            largest_keys: largest.map_or(0, |(_, &keys)| keys),
            most_popular: self.most_popular,
            own: self.own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_add_up() {
        let [a, b, c, d] = [1, 2, 3, 4].map(ClusterId);
        let mut answers = Answers::new(4, vec![a, b, c, d]);
        for (key, answer) in [([a, b], Some(c)), ([b, c], Some(a)), ([c, d], Some(c)), ([d, a], None)] {
            answers.key(&key, answer);
        }
        answers.free(ExactMatch { asked: 3, matched: 2 }, 1);
        let collapse = answers.collapse();
        assert_eq!((collapse.keys, collapse.distinct, collapse.largest, collapse.largest_keys), (3, 2, Some(c), 2));
        assert_eq!((collapse.most_popular, collapse.own), (2, 1));
        assert_eq!(answers.fallbacks(), Fallbacks { asked: 4, fell_back: 1 });
        assert_eq!(answers.exact_match(), ExactMatch { asked: 3, matched: 2 });
    }
}
