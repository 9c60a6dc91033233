//! `[outcomes]`: what units did, and what is measured of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::experiment::analyze::Kind;
use crate::interactions::TimestampUnit;

/// The outcome log and the metrics (`[outcomes]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutcomesConfig {
    /// Parquet, CSV or JSON lines, as `[interactions] path`; any columns.
    pub path: String,
    /// What the log calls its columns.
    pub columns: OutcomeColumns,
    /// The unit of integer timestamps since 1970-01-01 UTC; without it they are refused.
    pub timestamp_unit: Option<TimestampUnit>,
    /// Whether rows that are equal in every column are one row, written twice. Switch it off for a log in which two
    /// rows of the same things at the same time are two outcomes.
    pub distinct: bool,
    /// The metrics, by name.
    pub metrics: BTreeMap<String, Formula>,
    /// How long before the experiment's first exposure units are looked at, to take away what was different already
    /// (CUPED); 0s for not at all.
    #[serde(with = "humantime_serde")]
    pub before: Duration,
    /// The relative difference (0.01 is 1 %) at which always-valid intervals are shortest. Choose it before looking:
    /// the intervals hold for any, but not for one that was chosen after.
    pub expected_effect: f64,
}

/// What an outcome log calls its columns (`[outcomes] columns`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutcomeColumns {
    /// Who: what lookups named as `unit`.
    pub unit: String,
    /// When.
    pub timestamp: String,
}

/// A metric: SQL over the columns of one row, giving a number, or true (1) or false (0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Formula {
    /// The sum over all rows, a unit; a row where it is null adds nothing.
    Sum(String),
    /// The mean over the rows where it is not null.
    Mean(String),
    /// The sum of one over the sum of another.
    Ratio {
        /// The numerator.
        of: String,
        /// The denominator.
        per: String,
    },
}

impl Default for OutcomesConfig {
    fn default() -> Self {
        Self {
            path: "outcomes/**/*.parquet".into(),
            columns: OutcomeColumns::default(),
            timestamp_unit: None,
            distinct: true,
            metrics: BTreeMap::new(),
            before: Duration::from_secs(7 * 86_400),
            expected_effect: 0.01,
        }
    }
}

impl Default for OutcomeColumns {
    fn default() -> Self {
        Self { unit: "user_id".into(), timestamp: "timestamp".into() }
    }
}

impl Formula {
    pub(super) fn kind(&self) -> Kind {
        if matches!(self, Self::Sum(_)) { Kind::PerUnit } else { Kind::Ratio }
    }

    /// The expressions that it reads, with what each is in the config.
    pub(super) fn expressions(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Sum(expression) => vec![("sum", expression)],
            Self::Mean(expression) => vec![("mean", expression)],
            Self::Ratio { of, per } => vec![("of", of), ("per", per)],
        }
    }
}
