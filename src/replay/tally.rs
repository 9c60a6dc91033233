//! What answers came to: hits by period and user, and by the key length that was found.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::step::Period;
use crate::evaluation::Estimate;

/// A replay's result (Figure 3a).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HitRate {
    /// Predictions of an answer that may come true; the other figures are of the first one alone.
    pub n: usize,
    /// Seconds within which they may.
    pub horizon: i64,
    /// Positions so late that the log ends within their horizon.
    pub cut_short: CutShort,
    /// The periods, in order.
    pub periods: Vec<Period>,
    /// The versions, in the order asked for.
    pub versions: Vec<Rates>,
    /// The first version beside each of the others, over the same positions.
    pub differences: Vec<Difference>,
}

/// What came true behind the end of the log is not known, and counts as a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CutShort {
    /// The log's newest event.
    pub newest: DateTime<Utc>,
    /// Positions whose horizon reaches behind it.
    pub positions: u64,
}

/// One version's hit rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// The version.
    pub name: String,
    /// Over all periods.
    pub overall: Scores,
    /// By period; none where nobody met anything new.
    pub periods: Vec<Option<Scores>>,
    /// By the length of the longest key that was found, 0 first; empty for random clusters.
    pub levels: Vec<Level>,
}

/// Hit rates over some positions, with bootstrap intervals over users.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Users with a position.
    pub users: usize,
    /// Positions.
    pub positions: u64,
    /// Of the full key's row alone, as it stands in the table, a miss is 0: the first prediction; none for versions without
    /// rows.
    pub table_1: Option<Estimate>,
    /// The same of the first n.
    pub table_n: Option<Estimate>,
    /// Of the whole lookup, with back-off: the first prediction.
    pub served_1: Estimate,
    /// The same of the first n.
    pub served_n: Estimate,
}

/// What answers came to whose longest key found had one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Level {
    /// Positions.
    pub positions: u64,
    /// Of the first prediction; none without a position.
    pub served_1: Option<Estimate>,
    /// The same of the first n.
    pub served_n: Option<Estimate>,
}

/// How much higher one version's served hit rate is than another's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The version.
    pub version: String,
    /// The other one.
    pub against: String,
    /// Of the first prediction.
    pub served_1: Estimate,
    /// Of the first n.
    pub served_n: Estimate,
}

impl Difference {
    /// How much higher the other one's is.
    pub fn reversed(&self) -> Self {
        let reversed = |Estimate { value, low, high }| Estimate { value: -value, low: -high, high: -low };
        Self {
            version: self.against.clone(),
            against: self.version.clone(),
            served_1: reversed(self.served_1),
            served_n: reversed(self.served_n),
        }
    }
}

/// The hits of one position, or the sums of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hits {
    pub(super) positions: f64,
    pub(super) table_1: f64,
    pub(super) table_n: f64,
    pub(super) served_1: f64,
    pub(super) served_n: f64,
}

impl Hits {
    fn add(&mut self, other: &Self) {
        self.positions += other.positions;
        self.table_1 += other.table_1;
        self.table_n += other.table_n;
        self.served_1 += other.served_1;
        self.served_n += other.served_n;
    }
}

/// A version's rates in the making: 48 bytes and a little for each user and period, and each user and level, with a
/// position.
#[derive(Debug, Default)]
pub(super) struct Tally {
    by_period: BTreeMap<usize, BTreeMap<usize, Hits>>,
    levels: Vec<BTreeMap<usize, Hits>>,
}

impl Tally {
    /// Takes a position of a user, within a period.
    pub(super) fn take(&mut self, period: usize, user: usize, hits: &Hits) {
        self.by_period.entry(period).or_default().entry(user).or_default().add(hits);
    }

    /// Takes the same position by the length of the longest key found.
    pub(super) fn take_level(&mut self, matched: usize, user: usize, hits: &Hits) {
        if self.levels.len() <= matched {
            self.levels.resize(matched + 1, BTreeMap::new());
        }
        self.levels[matched].entry(user).or_default().add(hits);
    }

    /// What it adds up to over so many periods; `None` without a position.
    pub(super) fn finish(&self, name: &str, periods: usize, has_rows: bool, resamples: usize) -> Option<Rates> {
        let scored = |hits: &[Hits]| scores(hits, has_rows, resamples);
        let of_period = |period| scored(&self.by_period.get(&period)?.values().copied().collect::<Vec<_>>());
        Some(Rates {
            name: name.to_owned(),
            overall: scored(&self.by_user().into_values().collect::<Vec<_>>())?,
            periods: (0..periods).map(of_period).collect(),
            levels: self.levels.iter().map(|users| level(users, resamples)).collect(),
        })
    }

    /// How much more its answers hit than another version's at the same positions.
    pub(super) fn over(&self, other: &Self, resamples: usize) -> Option<(Estimate, Estimate)> {
        let (here, there) = (self.by_user(), other.by_user());
        let paired = |hits: fn(&Hits) -> f64| {
            let pairs = here.iter().filter_map(|(user, here)| {
                let there = there.get(user)?;
                Some((hits(here) - hits(there), here.positions))
            });
            Estimate::ratio(&pairs.collect::<Vec<_>>(), resamples)
        };
        Some((paired(|hits| hits.served_1)?, paired(|hits| hits.served_n)?))
    }

    fn by_user(&self) -> BTreeMap<usize, Hits> {
        let mut users: BTreeMap<usize, Hits> = BTreeMap::new();
        for (&user, hits) in self.by_period.values().flatten() {
            users.entry(user).or_default().add(hits);
        }
        users
    }
}

fn level(users: &BTreeMap<usize, Hits>, resamples: usize) -> Level {
    let users: Vec<Hits> = users.values().copied().collect();
    scores(&users, false, resamples).map_or(Level::default(), |of| Level {
        positions: of.positions,
        served_1: Some(of.served_1),
        served_n: Some(of.served_n),
    })
}

fn scores(users: &[Hits], has_rows: bool, resamples: usize) -> Option<Scores> {
    let rate = |hits: fn(&Hits) -> f64| {
        let pairs: Vec<(f64, f64)> = users.iter().map(|user| (hits(user), user.positions)).collect();
        Estimate::ratio(&pairs, resamples)
    };
    Some(Scores {
        users: users.len(),
        positions: users.iter().map(|user| user.positions as u64).sum(),
        table_1: rate(|hits| hits.table_1).filter(|_| has_rows),
        table_n: rate(|hits| hits.table_n).filter(|_| has_rows),
        served_1: rate(|hits| hits.served_1)?,
        served_n: rate(|hits| hits.served_n)?,
    })
}
