//! What a back-test found.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::running::Running;
use crate::evaluation::{Cadence, Decision};
use crate::replay::hit_rate::Settings;
use crate::replay::step::Period;
use crate::replay::tally::{Difference, Rates};

/// A back-test's result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackTest {
    /// Predictions of an answer that may come true.
    pub n: usize,
    /// Seconds within which they may.
    pub horizon: i64,
    /// What the costs were reckoned with, and what decided.
    pub cadence: Cadence,
    /// The periods that rates are reported by.
    pub periods: Vec<Period>,
    /// The policies, in the order asked for.
    pub policies: Vec<Replayed>,
}

/// One policy's way through the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// Its hit rates, by its name.
    pub rates: Rates,
    /// How much higher they are than the first policy's, at the same positions; none of the first one.
    pub over_first: Option<Difference>,
    /// When it refreshed, the first table left aside.
    pub refreshes: Vec<DateTime<Utc>>,
    /// Questions that a language model would have been asked for the first table.
    pub first_calls: u64,
    /// Those for all later ones: keys whose prompts read as they never had before.
    pub calls: u64,
    /// What the later refreshes and their questions cost.
    pub cost: f64,
    /// The adaptive policy's decisions.
    pub decisions: Vec<Decided>,
}

/// A decision with its moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Decided {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub decision: Decision,
}

pub(super) fn report(
    settings: &Settings,
    periods: Vec<Period>,
    cadence: &Cadence,
    running: Vec<Running>,
) -> Option<BackTest> {
    let Settings { n, resamples, .. } = *settings;
    let replayed = |(nth, policy): (usize, &Running)| {
        let (version, against) = (policy.policy.to_string(), running.first()?.policy.to_string());
        let difference = |(served_1, served_n)| Difference { version: version.clone(), against, served_1, served_n };
        let over = || policy.tally.over(&running.first()?.tally, resamples);
        let later = policy.refreshes.get(1..).unwrap_or_default();
        Some(Replayed {
            rates: policy.tally.finish(&version, periods.len(), true, resamples)?,
            over_first: (nth > 0).then(over).flatten().map(difference),
            refreshes: later.iter().map(|&(at, _)| at).collect(),
            first_calls: policy.refreshes.first().map_or(0, |&(_, calls)| calls),
            calls: later.iter().map(|(_, calls)| calls).sum(),
            // A sum of none would be -0.
            cost: later.iter().fold(0.0, |cost, &(_, calls)| cost + cadence.cost(calls)),
            decisions: policy.decided.clone(),
        })
    };
    let policies = running.iter().enumerate().map(replayed).collect::<Option<Vec<_>>>()?;
    Some(BackTest { n, horizon: settings.horizon.num_seconds(), cadence: cadence.clone(), periods, policies })
}
