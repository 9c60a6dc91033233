//! What an answer means (section 2.1: "a user's current history is matched, and the corresponding predicted next
//! cluster is retrieved via table lookup"): the latest k clusters, back-off to shorter keys, novelty.
//!
//! Pure: no I/O, no clock, no async, and no allocation once a [`Scratch`] is warm. Serving and offline evaluation run
//! this very code.

mod asked;
mod set;

use crate::ids::ClusterId;
use crate::table::format::MAX_K;
use crate::table::{Entry, Place, Score, Source, Table};

use asked::Asked;
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
    asked: ClusterSet,
    predictions: Vec<Prediction>,
}

/// Answers many questions of one table, in order, until `take` fails.
///
/// Each answer is what [`lookup`] gives. The rows of the next few questions are being read while one is answered, so that
/// what a question costs is the memory's throughput and no longer its latency. Questions are drawn some ahead of their
/// answers.
pub fn lookup_batch<'q, B: AsRef<[u8]>, E>(
    table: &Table<B>,
    rules: Rules<'_>,
    queries: impl IntoIterator<Item = Query<'q>>,
    scratch: &mut Scratch,
    mut take: impl FnMut(Result<Answer<'_>, LookupError>) -> Result<(), E>,
) -> Result<(), E> {
    let mut begun = queries.into_iter().map(|query| Begun::of(table, rules, query)).fuse();
    let mut read_on = |block: &mut [_]| {
        block.fill_with(|| begun.next());
        block.iter().flatten().flatten().for_each(|begun: &Begun<'_>| begun.prefetch(table));
    };
    let mut ahead = [const { None }; AHEAD];
    ahead.chunks_exact_mut(BLOCK).for_each(&mut read_on);
    loop {
        for block in ahead.chunks_exact_mut(BLOCK) {
            for begun in block.iter() {
                match begun {
                    Some(Ok(begun)) => take(Ok(begun.answer(table, rules, scratch)))?,
                    Some(Err(error)) => take(Err(*error))?,
                    None => return Ok(()),
                }
            }
            read_on(block);
        }
    }
}

/// Questions of a batch whose rows are being read at a time: as many as a core has misses in flight.
const AHEAD: usize = 16;

/// Questions of a batch whose rows are asked for one right behind the other. Before a line can be read its page has to be
/// found, which takes as long, and a core looks for several pages at a time only if little work stands between.
const BLOCK: usize = 8;

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
    let begun = Begun::of(table, rules, query)?;
    begun.prefetch(table);
    Ok(begun.answer(table, rules, scratch))
}

/// A question, and where the row of its longest key is looked for.
struct Begun<'q> {
    query: Query<'q>,
    recent: Recent,
    place: Option<Place>,
}

impl<'q> Begun<'q> {
    #[inline]
    fn of<B: AsRef<[u8]>>(table: &Table<B>, rules: Rules<'_>, query: Query<'q>) -> Result<Self, LookupError> {
        check(table, rules, query)?;
        let recent = Recent::of(table, query.history);
        let place = table.place(recent.longest());
        Ok(Self { query, recent, place })
    }

    #[inline]
    fn prefetch<B: AsRef<[u8]>>(&self, table: &Table<B>) {
        if let Some(place) = &self.place {
            table.prefetch(place);
        }
    }

    #[inline]
    fn answer<'s, B: AsRef<[u8]>>(&self, table: &Table<B>, rules: Rules<'_>, scratch: &'s mut Scratch) -> Answer<'s> {
        let Scratch { asked, predictions } = scratch;
        let asked = Asked::of(self.query, table, asked);
        let limit = self.query.limit.max(1) as usize;
        let mut fill = Fill { table, blocklist: rules.blocklist, limit, asked, predictions };
        let matched = fill.take_rows(self);
        fill.take_popular();
        Answer { predictions, matched, unknown: self.recent.unknown }
    }
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

/// The latest distinct known clusters of a history, at most k.
struct Recent {
    /// Filled from the back, so that every key is a suffix.
    indices: [u32; MAX_K],
    len: usize,
    /// Clusters of the whole history that the table does not know.
    unknown: u32,
}

impl Recent {
    #[inline]
    fn of<B: AsRef<[u8]>>(table: &Table<B>, history: &[u32]) -> Self {
        let mut recent = Recent { indices: [0; MAX_K], len: 0, unknown: 0 };
        for &id in history.iter().rev() {
            let Some(index) = table.index_of(ClusterId(id)) else {
                recent.unknown += 1;
                continue;
            };
            if recent.len < table.k() && !recent.longest().contains(&index) {
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
    asked: Asked<'f>,
    predictions: &'f mut Vec<Prediction>,
}

impl<B: AsRef<[u8]>> Fill<'_, B> {
    /// Fills from the longest key found downwards; returns that key's length.
    fn take_rows(&mut self, begun: &Begun<'_>) -> u32 {
        self.predictions.clear();
        let mut matched = 0;
        let mut place = begun.place;
        for level in (1..=begun.recent.len).rev() {
            if self.is_full() {
                break;
            }
            let place = place.take().or_else(|| self.table.place(begun.recent.key(level)));
            if let Some(row) = place.and_then(|place| self.table.row(&place)) {
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
            let cluster = self.table.cluster_id(entry.index);
            let is_novel = !self.asked.names(cluster, entry.index) && !self.blocklist.contains(entry.index);
            if is_novel && self.predictions.iter().all(|prediction| prediction.cluster != cluster) {
                self.predictions.push(Prediction { cluster, score: entry.score, source: entry.source, level });
            }
        }
    }

    fn is_full(&self) -> bool {
        self.predictions.len() == self.limit
    }
}
