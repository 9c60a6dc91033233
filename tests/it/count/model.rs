//! The definitions, written down as naively as possible.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Utc};
use segue::interactions::{Sequence, Window};

/// A row of a log; `None` is null, and times are in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) user: Option<i64>,
    pub(crate) cluster: Option<i64>,
    pub(crate) time: Option<i64>,
    pub(crate) rating: Option<i64>,
}

/// A good positive: time, cluster.
type Positive = (DateTime<Utc>, u32);

/// What the model finds in a window.
pub(crate) struct Model {
    sequences: Vec<(i64, Vec<u32>)>,
}

pub(crate) fn is_within(time: i64, window: &Window) -> bool {
    let time = instant(time);
    window.from.is_none_or(|from| from <= time) && window.to.is_none_or(|to| time < to)
}

pub(crate) fn instant(time: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time).unwrap()
}

impl Model {
    pub(crate) fn new(events: &[Event], clusters: u32, sequence: Sequence, window: &Window) -> Self {
        let mut users: BTreeMap<i64, Vec<Positive>> = BTreeMap::new();
        for event in events {
            let Event { user: Some(user), cluster: Some(cluster), time: Some(time), rating: Some(rating) } = *event
            else {
                continue;
            };
            let known = u32::try_from(cluster).ok().filter(|id| *id < clusters);
            if let Some(cluster) = known.filter(|_| rating >= 7 && is_within(time, window)) {
                users.entry(user).or_default().push((instant(time), cluster));
            }
        }
        let mut sequences = Vec::new();
        for (user, mut positives) in users {
            positives.sort();
            sequences.extend(parts(&positives, sequence).into_iter().map(|part| (user, once_each(&part))));
        }
        sequences.retain(|(_, sequence)| sequence.len() >= 2);
        Self { sequences }
    }

    pub(crate) fn transitions(&self, k: usize, min_users: u64) -> Vec<(Vec<u32>, u64)> {
        let mut counts: BTreeMap<Vec<u32>, (u64, BTreeSet<i64>)> = BTreeMap::new();
        for (user, sequence) in &self.sequences {
            for step in sequence.windows(k + 1) {
                let (count, users) = counts.entry(step.to_vec()).or_default();
                *count += 1;
                users.insert(*user);
            }
        }
        counts.retain(|_, (_, users)| users.len() as u64 >= min_users);
        counts.into_iter().map(|(step, (count, _))| (step, count)).collect()
    }

    pub(crate) fn sequences(&self) -> Vec<Vec<u32>> {
        self.sequences.iter().map(|(_, sequence)| sequence.clone()).collect()
    }

    pub(crate) fn popular(&self) -> (Vec<(u32, u64)>, u64) {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for cluster in self.sequences.iter().flat_map(|(_, sequence)| sequence) {
            *counts.entry(*cluster).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(cluster, count)| (std::cmp::Reverse(count), cluster));
        (counts, self.sequences.len() as u64)
    }
}

/// Cuts a user's positives, which are in order, wherever a new sequence starts.
fn parts(positives: &[Positive], sequence: Sequence) -> Vec<Vec<Positive>> {
    let starts_anew = |before: DateTime<Utc>, after: DateTime<Utc>| match sequence {
        Sequence::User => false,
        Sequence::UserDay => before.date_naive() != after.date_naive(),
        Sequence::UserMonth => (before.year(), before.month()) != (after.year(), after.month()),
        Sequence::Gap(gap) => (after - before).to_std().unwrap() > gap,
    };
    positives.chunk_by(|before, after| !starts_anew(before.0, after.0)).map(<[Positive]>::to_vec).collect()
}

fn once_each(part: &[Positive]) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    part.iter().map(|&(_, cluster)| cluster).filter(|cluster| seen.insert(*cluster)).collect()
}
