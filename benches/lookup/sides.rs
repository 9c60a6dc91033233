//! The two sides of every pair: chains of questions, each made from the answer before it, so that a time is that of one
//! lookup alone, not of many that the processor overlaps.

use segue::lookup::{DEFAULT_MAX_HISTORY, LookupError, Query, Rules, Scratch, lookup, lookup_batch};
use segue::store::live::Snapshot;

use crate::keys::{Draw, Key, KeySet, WIDTH, mix, said};
use crate::paired::Side;
use crate::peers::Peer;

/// What is asked, and of which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One prediction for a key that the table holds.
    Hit,
    /// One prediction for a key of which it holds all but the oldest cluster.
    BackOff,
    /// Eight predictions for a key that it holds.
    Limit8,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Hit, Kind::BackOff, Kind::Limit8];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Hit => "hit",
            Kind::BackOff => "back-off",
            Kind::Limit8 => "hit, limit 8",
        }
    }

    #[inline]
    fn question(self, keys: &KeySet, ticket: u64) -> Key {
        keys.question(ticket, self != Kind::BackOff)
    }

    fn limit(self) -> usize {
        if self == Kind::Limit8 { WIDTH } else { 1 }
    }
}

/// Asks ticket after ticket.
pub(crate) fn chain(draw: Draw, mut ask: impl FnMut(u64) -> u64) -> impl Side {
    move |mut state, steps| {
        for _ in 0..steps {
            state = mix(state ^ ask(draw.ticket(state)));
        }
        state
    }
}

/// Whole lookups.
pub(crate) fn lookups<'a>(snapshot: &'a Snapshot, keys: &'a KeySet, kind: Kind) -> impl FnMut(u64) -> u64 + use<'a> {
    let mut scratch = Scratch::default();
    let rules = Rules { blocklist: &snapshot.blocklist, max_history: DEFAULT_MAX_HISTORY };
    let limit = kind.limit() as u32;
    move |ticket| {
        let question = kind.question(keys, ticket);
        let query = Query { history: question.clusters(), limit, exclude: &[] };
        let answer = lookup(&snapshot.table, rules, query, &mut scratch).unwrap();
        said(answer.predictions.iter().map(|prediction| prediction.cluster.0))
    }
}

/// Whole batches of lookups, the next one drawn from what the last one said. A step is one question.
pub(crate) fn batches<'a>(snapshot: &'a Snapshot, keys: &'a KeySet, draw: Draw) -> impl Side + use<'a> {
    let mut scratch = Scratch::default();
    let rules = Rules { blocklist: &snapshot.blocklist, max_history: DEFAULT_MAX_HISTORY };
    move |mut state, steps| {
        for _ in 0..steps / BATCH {
            let questions: [Key; BATCH as usize] =
                std::array::from_fn(|at| Kind::Hit.question(keys, draw.ticket(mix(state ^ mix(at as u64)))));
            let queries = questions.iter().map(|key| Query { history: key.clusters(), limit: 1, exclude: &[] });
            let answered = lookup_batch(&snapshot.table, rules, queries, &mut scratch, |answer| {
                let answer = answer?;
                state = mix(state ^ said(answer.predictions.iter().map(|prediction| prediction.cluster.0)));
                Ok::<_, LookupError>(())
            });
            answered.unwrap();
        }
        state
    }
}

/// Questions of a batch.
const BATCH: u64 = 256;

/// One read of one cache line anywhere in the table: what the memory alone takes.
pub(crate) fn reads(bytes: &[u8]) -> impl FnMut(u64) -> u64 {
    let (lines, _) = bytes.as_chunks::<64>();
    move |ticket| {
        let line = (u128::from(ticket) * lines.len() as u128) >> 64;
        u64::from(lines[line as usize][0])
    }
}

/// A peer's gets, until one finds something. It leaves out what the history has, so that its answers are the table's.
pub(crate) fn gets<'a, P: Peer>(peer: &'a P, keys: &'a KeySet, kind: Kind) -> impl FnMut(u64) -> u64 + use<'a, P> {
    let limit = kind.limit();
    move |ticket| {
        let question = kind.question(keys, ticket);
        let mut key = question;
        while !key.clusters().is_empty() {
            let answer = peer.get(key.packed(), |value| {
                let (ids, _) = value[..4 * WIDTH].as_chunks::<4>();
                let ids = ids.iter().map(|&id| u32::from_le_bytes(id));
                said(ids.filter(|id| !question.clusters().contains(id)).take(limit))
            });
            if let Some(answer) = answer {
                return answer;
            }
            key = key.suffix();
        }
        0
    }
}
