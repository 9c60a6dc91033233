//! Positions put to a table, through the lookup that serves.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::ReplayError;
use super::step::Period;
use super::tally::{CutShort, Hits, Tally};
use crate::evaluation::{Position, positions, random_novel};
use crate::ids::ClusterId;
use crate::interactions::Meeting;
use crate::lookup::{ClusterSet, LookupError, Query, Rules, Scratch, lookup};
use crate::table::Table;

/// Everyone asked about.
pub(super) struct Asking<'a> {
    pub(super) users: &'a [Vec<Meeting>],
    pub(super) periods: &'a [Period],
    /// Predictions of an answer that may come true.
    pub(super) n: usize,
    /// How long they may take to.
    pub(super) horizon: TimeDelta,
    pub(super) clusters: usize,
    /// Clusters that are no targets: predicting them is neither asked for nor counted.
    pub(super) no_targets: &'a HashSet<ClusterId>,
}

impl Asking<'_> {
    /// Hands over every position of a stretch that has a target, with its user and period.
    fn each(
        &self,
        stretch: &Period,
        mut take: impl FnMut(usize, usize, &Position<'_>) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        for (user, meetings) in self.users.iter().enumerate() {
            let positions = positions(meetings, stretch.from, stretch.to, self.horizon);
            for position in positions.filter(|position| self.targets(position) > 0) {
                let period = self.periods.partition_point(|period| period.from <= position.at) - 1;
                take(period, user, &position)?;
            }
        }
        Ok(())
    }

    fn targets(&self, position: &Position<'_>) -> usize {
        position.truth.iter().filter(|meeting| !self.no_targets.contains(&meeting.cluster)).count()
    }

    /// Positions whose horizon reaches behind the log's `newest` event.
    pub(super) fn cut_short(&self, stretch: &Period, newest: DateTime<Utc>) -> CutShort {
        let mut positions = 0;
        let counted = self.each(stretch, |_, _, position| {
            positions += u64::from(newest - position.at < self.horizon);
            Ok(())
        });
        debug_assert!(counted.is_ok(), "counting cannot fail");
        CutShort { newest, positions }
    }

    pub(super) fn random(&self, stretch: &Period, tally: &mut Tally) {
        let n = self.n;
        let drawn = self.each(stretch, |period, user, position| {
            let novel = self.clusters.saturating_sub(position.history.len());
            let expected = |n| random_novel(novel, self.targets(position), n);
            let hits = Hits { positions: 1.0, served_1: expected(1), served_n: expected(n), ..Hits::default() };
            tally.take(period, user, &hits);
            Ok(())
        });
        debug_assert!(drawn.is_ok(), "drawing cannot fail");
    }

    /// Takes what a table answers, which must know nothing of the moments that it is asked about.
    pub(super) fn table<B: AsRef<[u8]>>(
        &self,
        name: &str,
        table: &Table<B>,
        stretch: &Period,
        tally: &mut Tally,
    ) -> Result<(), ReplayError> {
        let unknown = || ReplayError::UnknownWindow { version: name.to_owned() };
        let knows_to = table.lineage().knows_to().ok_or_else(unknown)?;
        self.answers(name, table, stretch, |period, user, position, answer| {
            if position.at < knows_to {
                let (knows_to, asked) = (knows_to.to_rfc3339(), position.at.to_rfc3339());
                return Err(ReplayError::LookAhead { version: name.to_owned(), knows_to, asked });
            }
            tally.take(period, user, &answer.hits);
            tally.take_level(answer.matched, user, &answer.hits);
            Ok(())
        })
    }

    /// Takes what a table answers that may have been counted up to later: it must not have counted these users.
    pub(super) fn unseen<B: AsRef<[u8]>>(
        &self,
        name: &str,
        table: &Table<B>,
        stretch: &Period,
    ) -> Result<Tally, ReplayError> {
        let mut tally = Tally::default();
        self.answers(name, table, stretch, |period, user, _, answer| {
            tally.take(period, user, &answer.hits);
            Ok(())
        })?;
        Ok(tally)
    }

    fn answers<B: AsRef<[u8]>>(
        &self,
        name: &str,
        table: &Table<B>,
        stretch: &Period,
        mut take: impl FnMut(usize, usize, &Position<'_>, Answered) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        let nobody = ClusterSet::default();
        let rules = Rules { blocklist: &nobody, max_history: usize::MAX };
        let (mut scratch, mut history) = (Scratch::default(), Vec::new());
        self.each(stretch, |period, user, position| {
            history.clear();
            history.extend(position.history.iter().map(|meeting| meeting.cluster.0));
            let limit = u32::try_from(self.n).unwrap_or(u32::MAX);
            let query = Query { history: &history, limit, exclude: &[] };
            let answer = lookup(table, rules, query, &mut scratch).map_err(|error| self.too_many(name, error))?;
            let matched = answer.matched as usize;
            let is_hit = |cluster| position.is_true(cluster) && !self.no_targets.contains(&cluster);
            let served = first(answer.predictions.iter().map(|prediction| prediction.cluster), is_hit);
            let of_key = first(key_row(table, &history), is_hit);
            let within = |first: usize, n: usize| f64::from(first < n);
            let hits = Hits {
                positions: 1.0,
                table_1: within(of_key, 1),
                table_n: within(of_key, self.n),
                served_1: within(served, 1),
                served_n: within(served, self.n),
            };
            take(period, user, position, Answered { matched, hits })
        })
    }

    fn too_many(&self, name: &str, error: LookupError) -> ReplayError {
        let n = self.n;
        match error {
            LookupError::Limit { width, .. } => ReplayError::Width { n, version: name.to_owned(), width },
            // Histories of any length are taken, and nothing is excluded.
            LookupError::TooLong { max, .. } => ReplayError::Width { n, version: name.to_owned(), width: max },
        }
    }
}

/// What an answer came to.
struct Answered {
    matched: usize,
    hits: Hits,
}

/// The place of the first prediction that is a hit; the last place there is where none is.
fn first(mut predicted: impl Iterator<Item = ClusterId>, is_hit: impl Fn(ClusterId) -> bool) -> usize {
    predicted.position(is_hit).unwrap_or(usize::MAX)
}

/// What the full key's row says, as it stands there; nothing of a shorter history. A history names each cluster once.
fn key_row<B: AsRef<[u8]>>(table: &Table<B>, history: &[u32]) -> impl Iterator<Item = ClusterId> {
    let latest = history.len().checked_sub(table.k()).map(|start| &history[start..]);
    let key = latest.and_then(|key| key.iter().map(|&id| table.index_of(ClusterId(id))).collect::<Option<Vec<_>>>());
    let row = key.and_then(|key| table.find(&key));
    row.into_iter().flat_map(|row| row.entries()).map(|entry| table.cluster_id(entry.index))
}
