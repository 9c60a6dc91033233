//! What an answer means (section 2.1: "a user's current history is matched, and the corresponding predicted next
//! cluster is retrieved via table lookup"): the latest k clusters, back-off to shorter keys, novelty.
//!
//! Pure: no I/O, no clock, no async, and no allocation once a [`Scratch`] is warm. Serving and offline evaluation run
//! this very code.

mod set;

use crate::ids::ClusterId;
use crate::table::format::MAX_K;
use crate::table::{Entry, Score, Source, Table};

pub use set::ClusterSet;

/// The longest history, and the longest exclusion list, that a lookup takes unless the config says otherwise.
pub const DEFAULT_MAX_HISTORY: usize = 4096;

/// One question, as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<'q> {
    /// Cluster ids, oldest first. Unknown ids are dropped.
    pub history: &'q [u32],
    /// Predictions wanted; 0 means 1.
    pub limit: u32,
    /// Cluster ids never to be predicted, beside those of the history.
    pub exclude: &'q [u32],
}

/// What holds for every question of one channel.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// Clusters that are never predicted.
    pub blocklist: &'r ClusterSet,
    /// The longest history and the longest exclusion list taken.
    pub max_history: usize,
}

/// One predicted next interest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The cluster.
    pub cluster: ClusterId,
    /// How much its source believes in it; scores of different sources do not compare.
    pub score: Score,
    /// Where it comes from.
    pub source: Source,
    /// The key length that gave it; 0 for popular.
    pub level: u32,
}

/// The answer to one question, wholly from one table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'s> {
    /// Best first; fewer than the limit only where the whole chain has no more.
    pub predictions: &'s [Prediction],
    /// The length of the longest key found, even if all its candidates were skipped.
    pub matched: u32,
    /// Clusters of the history that the table does not know; they were dropped.
    pub unknown: u32,
}

/// Why a question has no answer. Both are the asker's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// More predictions than a row can hold.
    #[error("limit is {limit}, the table's rows are {width} wide: ask for at most {width}")]
    Limit {
        /// The limit asked for.
        limit: u32,
        /// The table's width.
        width: usize,
    },
    /// A list of clusters beyond the server's bound.
    #[error("{field} has {len} clusters, at most {max} are taken")]
    TooLong {
        /// `history` or `exclude`.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The bound.
        max: usize,
    },
}

/// Memory that lookups share, one after the other: keep one for each thread.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Clusters that the answer may not name (again); empty between lookups.
    skip: ClusterSet,
    predictions: Vec<Prediction>,
}

/// Answers many questions of one table, in order, until `take` fails.
///
/// Each answer is what [`lookup`] gives. The rows of the next few questions are being read while one is answered, so that
/// what a question costs is the memory's throughput and no longer its latency.
pub fn lookup_batch<'q, B: AsRef<[u8]>, E>(
    table: &Table<B>,
    rules: Rules<'_>,
    queries: impl Iterator<Item = Query<'q>> + Clone,
    scratch: &mut Scratch,
    mut take: impl FnMut(Result<Answer<'_>, LookupError>) -> Result<(), E>,
) -> Result<(), E> {
    let mut ahead = queries.clone();
    let mut read_on = |queries: usize| {
        for query in ahead.by_ref().take(queries) {
            table.prefetch(Recent::of(table, query.history).longest());
        }
    };
    read_on(AHEAD);
    for query in queries {
        read_on(1);
        take(lookup(table, rules, query, scratch))?;
    }
    Ok(())
}

/// Questions of a batch whose rows are being read at a time: as many as a core has misses in flight.
const AHEAD: usize = 16;

/// Answers one question.
///
/// History -> without unknown ids -> each cluster once, at its latest place -> the latest k -> the table; on a miss the
/// latest k - 1, ... 1, then popular. Clusters of the history, of `exclude` and of the blocklist are skipped; what is
/// then missing comes from the next levels down the same chain.
pub fn lookup<'s, B: AsRef<[u8]>>(
    table: &Table<B>,
    rules: Rules<'_>,
    query: Query<'_>,
    scratch: &'s mut Scratch,
) -> Result<Answer<'s>, LookupError> {
    check(table, rules, query)?;
    let limit = query.limit.max(1) as usize;
    let recent = Recent::of(table, query.history);
    // The memory works while the history is marked.
    table.prefetch(recent.longest());
    let unknown = scratch.mark(table, query);
    let Scratch { skip, predictions } = scratch;
    let mut fill = Fill { table, blocklist: rules.blocklist, limit, skip, predictions };
    let matched = fill.take_rows(&recent);
    fill.take_popular();
    scratch.forget(table, query);
    Ok(Answer { predictions: &scratch.predictions, matched, unknown })
}

fn check<B: AsRef<[u8]>>(table: &Table<B>, rules: Rules<'_>, query: Query<'_>) -> Result<(), LookupError> {
    if query.limit as usize > table.width() {
        return Err(LookupError::Limit { limit: query.limit, width: table.width() });
    }
    for (field, list) in [("history", query.history), ("exclude", query.exclude)] {
        if list.len() > rules.max_history {
            return Err(LookupError::TooLong { field, len: list.len(), max: rules.max_history });
        }
    }
    Ok(())
}

impl Scratch {
    /// Marks what the answer may not name, in a set that must be empty; returns how many clusters of the history the
    /// table does not know.
    fn mark<B: AsRef<[u8]>>(&mut self, table: &Table<B>, query: Query<'_>) -> u32 {
        self.skip.grow(table.taxonomy().clusters().len());
        let mut unknown = 0;
        for &id in query.history {
            match table.index_of(ClusterId(id)) {
                Some(index) => drop(self.skip.insert(index)),
                None => unknown += 1,
            }
        }
        for index in query.exclude.iter().filter_map(|&id| table.index_of(ClusterId(id))) {
            self.skip.insert(index);
        }
        unknown
    }

    /// Clears what this lookup put in, which is less than the whole set.
    fn forget<B: AsRef<[u8]>>(&mut self, table: &Table<B>, query: Query<'_>) {
        let asked = query.history.iter().chain(query.exclude).map(|&id| ClusterId(id));
        let predicted = self.predictions.iter().map(|prediction| prediction.cluster);
        for index in asked.chain(predicted).filter_map(|id| table.index_of(id)) {
            self.skip.remove(index);
        }
    }
}

/// The latest distinct known clusters of a history, at most k.
struct Recent {
    /// Filled from the back, so that every key is a suffix.
    indices: [u32; MAX_K],
    len: usize,
}

impl Recent {
    #[inline]
    fn of<B: AsRef<[u8]>>(table: &Table<B>, history: &[u32]) -> Self {
        let mut recent = Recent { indices: [0; MAX_K], len: 0 };
        for index in history.iter().rev().filter_map(|&id| table.index_of(ClusterId(id))) {
            if recent.len == table.k() {
                break;
            }
            if !recent.longest().contains(&index) {
                recent.len += 1;
                recent.indices[MAX_K - recent.len] = index;
            }
        }
        recent
    }

    fn key(&self, len: usize) -> &[u32] {
        &self.indices[MAX_K - len..]
    }

    fn longest(&self) -> &[u32] {
        self.key(self.len)
    }
}

/// An answer in the making.
struct Fill<'f, B> {
    table: &'f Table<B>,
    blocklist: &'f ClusterSet,
    limit: usize,
    skip: &'f mut ClusterSet,
    predictions: &'f mut Vec<Prediction>,
}

impl<B: AsRef<[u8]>> Fill<'_, B> {
    /// Fills from the longest key found downwards; returns that key's length.
    fn take_rows(&mut self, recent: &Recent) -> u32 {
        self.predictions.clear();
        let mut matched = 0;
        for level in (1..=recent.len).rev() {
            if self.is_full() {
                break;
            }
            if let Some(row) = self.table.find(recent.key(level)) {
                matched = matched.max(level as u32);
                self.take(level as u32, row.entries());
            }
        }
        matched
    }

    fn take_popular(&mut self) {
        self.take(0, self.table.popular().iter().copied());
    }

    fn take(&mut self, level: u32, entries: impl Iterator<Item = Entry>) {
        for entry in entries {
            if self.is_full() {
                return;
            }
            if !self.blocklist.contains(entry.index) && self.skip.insert(entry.index) {
                let cluster = self.table.cluster_id(entry.index);
                self.predictions.push(Prediction { cluster, score: entry.score, source: entry.source, level });
            }
        }
    }

    fn is_full(&self) -> bool {
        self.predictions.len() == self.limit
    }
}
