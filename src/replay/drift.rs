//! Drift: the stability of a log's top successors, from window to window, beside what chance alone gives.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Progress;
use super::build::counted;
use super::error::ReplayError;
use super::null::{Null, Pooled};
use super::step::{Period, Step, periods};
use crate::evaluation::{Estimate, Jaccard, Successors};
use crate::interactions::{Log, Window};

/// The depths that Figure 3(b) compares.
pub const TOPS: [usize; 4] = [1, 2, 5, 10];

/// Keys by their support in the window where they have less: from, below, name.
pub const SUPPORTS: [(u64, u64, &str); 4] =
    [(1, 2, "1"), (2, 5, "2 to 4"), (5, 10, "5 to 9"), (10, u64::MAX, "10 or more")];

/// How a log's top successors change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// Clusters in a key.
    pub k: usize,
    /// The windows, in order; the last one may be shorter.
    pub periods: Vec<Period>,
    /// Keys seen in each.
    pub keys: Vec<usize>,
    /// Figure 3(b): against the first window.
    pub identical: Vec<Identical>,
    /// Section 2.1: each window and the one after it.
    pub neighbours: Vec<Neighbours>,
    /// All of these pairs together, beside their nulls; none where nothing was dealt.
    pub pooled: Option<Pooled>,
}

/// The share of common keys whose most frequent successors are the same set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Identical {
    /// So many successors.
    pub top: usize,
    /// By window, the first one left out; none without common keys.
    pub shares: Vec<Option<Estimate>>,
}

/// Two windows beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbours {
    /// The earlier window.
    pub earlier: Period,
    /// The later one.
    pub later: Period,
    /// Over all keys seen in both; none without such keys.
    pub all: Option<Jaccard>,
    /// By support, as [`SUPPORTS`].
    pub by_support: Vec<Option<Jaccard>>,
    /// The same of all keys, had nothing drifted.
    pub null: Option<Null>,
}

/// Compares the windows of `[from, to)`, a step each. The counts of two windows and of the first are held in memory. The
/// null is of so many `deals`; none where that is 0.
pub async fn drift(
    log: &Log,
    k: usize,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    step: Step,
    deals: usize,
    progress: Progress<'_>,
) -> Result<Drift, ReplayError> {
    let periods = periods(from, to, step)?;
    let total = periods.len() as u64;
    let mut identical: Vec<Identical> = TOPS.map(|top| Identical { top, shares: Vec::new() }).into();
    let (mut keys, mut neighbours): (Vec<usize>, Vec<Neighbours>) = (Vec::new(), Vec::new());
    let mut first: Option<Successors> = None;
    let mut before: Option<(Period, Successors)> = None;
    for (done, &period) in (0..).zip(&periods) {
        progress(done, total, period.name(step));
        let here = counted(log, k, &window(period)).await?;
        keys.push(here.len());
        if let Some(first) = &first {
            identical.iter_mut().for_each(|of| of.shares.push(first.identical(&here, of.top)));
        }
        if let Some((earlier, there)) = &before {
            let null = Null::of(there, &here, deals);
            let supported = |(from, below, _)| there.jaccard(&here, from, below);
            let (all, by_support) = (there.jaccard(&here, 0, u64::MAX), SUPPORTS.map(supported).into());
            neighbours.push(Neighbours { earlier: *earlier, later: period, all, by_support, null });
        }
        first.get_or_insert_with(|| here.clone());
        before = Some((period, here));
    }
    progress(total, total, "done".into());
    let pairs: Vec<_> = neighbours.iter().map(|of| of.all.map(|all| all.mean).zip(of.null)).collect();
    Ok(Drift { k, periods, keys, identical, neighbours, pooled: Pooled::of(&pairs) })
}

fn window(period: Period) -> Window {
    Window { from: Some(period.from), to: Some(period.to) }
}
