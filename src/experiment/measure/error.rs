//! Why an experiment cannot be analysed.

use chrono::{DateTime, Utc};

use crate::experiment::ExposuresError;
use crate::interactions;

/// Why an experiment cannot be analysed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// A log that cannot be read.
    #[error(transparent)]
    Log(#[from] interactions::Error),
    /// Exposures in an object store that cannot be read.
    #[error(transparent)]
    Exposures(#[from] ExposuresError),
    /// Nothing to measure.
    #[error("[outcomes.metrics] declares no metric: add one, `\"satisfied outcomes\" = {{ sum = \"satisfied\" }}` say")]
    NoMetrics,
    /// A width for always-valid intervals that gives none.
    #[error("[outcomes] expected_effect = {0}: a relative difference over 0 is needed, 0.01 for 1 %")]
    ExpectedEffect(f64),
    /// No such arm.
    #[error("experiment `{experiment}` has no arm `{arm}`: its arms are {known}")]
    UnknownArm {
        /// The experiment.
        experiment: String,
        /// The arm that was asked for.
        arm: String,
        /// All arms.
        known: String,
    },
    /// Nobody was exposed.
    #[error(
        "no exposure of experiment `{experiment}` in {path} within its time: {rows} exposures were read, of {known}; \
         check the experiment's name, start and end"
    )]
    NoExposures {
        /// The experiment.
        experiment: String,
        /// Where exposures were looked for.
        path: String,
        /// Exposures of any experiment.
        rows: u64,
        /// The experiments they are of.
        known: String,
    },
    /// Nothing happened after an exposure.
    #[error(
        "no outcome in {path} follows the exposure of its unit: {rows} outcomes were read, of which {strangers} are \
         of units never exposed; check that [outcomes] columns.unit holds what lookups name as `unit`"
    )]
    NoOutcomes {
        /// Where outcomes were looked for.
        path: String,
        /// Good rows.
        rows: u64,
        /// Those of units without an exposure.
        strangers: u64,
    },
    /// More days than are read.
    #[error(
        "from {from} to {to} there are more than {most} days: give --from or --to, and check the clocks of the logs"
    )]
    TooLong {
        /// The first day.
        from: DateTime<Utc>,
        /// The newest outcome.
        to: DateTime<Utc>,
        /// What is possible.
        most: i64,
    },
}
