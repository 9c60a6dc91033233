//! What a table has lost since it was counted, by what users did meanwhile.

use std::collections::HashSet;

use chrono::TimeDelta;

use super::asking::Asking;
use super::error::ReplayError;
use super::step::Period;
use crate::evaluation::{Ageing, Successors};
use crate::interactions::Meeting;
use crate::table::Table;

/// Times that users are drawn anew for the interval.
const RESAMPLES: usize = 500;

/// How a table that was counted up to `since.from` answers beside one counted up to `since.to`, at every position between,
/// where any of the first `n` predictions may come true within `horizon`. Neither table may have counted these users; what
/// they did later is not looked at. What concerns a language model is left out.
pub fn ageing<A: AsRef<[u8]>, B: AsRef<[u8]>>(
    live: &Table<A>,
    fresh: &Table<B>,
    users: &[Vec<Meeting>],
    since: Period,
    n: usize,
    horizon: TimeDelta,
) -> Result<Ageing, ReplayError> {
    let known = |met: &Vec<Meeting>| met[..met.partition_point(|meeting| meeting.at < since.to)].to_vec();
    let users: Vec<Vec<Meeting>> = users.iter().map(known).collect();
    let (clusters, no_targets) = (fresh.taxonomy().clusters().len(), &HashSet::new());
    let asking = Asking { users: &users, periods: &[since], n, horizon, clusters, no_targets };
    let of_live = asking.unseen("the live table", live, &since)?;
    let of_fresh = asking.unseen("a fresh table", fresh, &since)?;
    let rate = of_live.finish("live", 1, true, 0).map(|rates| rates.overall.served_n.value);
    Ok(Ageing {
        age: (since.to - since.from).as_seconds_f64() / 86_400.0,
        loss: of_fresh.over(&of_live, RESAMPLES).map(|(_, served_n)| served_n),
        live: rate,
        stability: successors(live).jaccard(&successors(fresh), 0, u64::MAX),
        ..Ageing::default()
    })
}

/// Rows keep an order and no counts; the order is all that is compared.
fn successors<B: AsRef<[u8]>>(table: &Table<B>) -> Successors {
    let mut successors = Successors::default();
    for (key, row) in table.iter(table.k()) {
        let places = (0..=table.width() as u64).rev();
        let clusters = row.entries().map(|entry| table.cluster_id(entry.index));
        successors.add(key, clusters.zip(places).collect());
    }
    successors
}
