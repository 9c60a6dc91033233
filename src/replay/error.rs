//! Why a log cannot be replayed.

use crate::interactions;
use crate::table::{BuildError, OpenError};

/// Why a replay ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log.
    #[error(transparent)]
    Log(#[from] interactions::Error),
    /// A table that cannot be built.
    #[error("building a table in memory: {0}")]
    Build(#[from] BuildError),
    /// A table that was built, and cannot be read.
    #[error("reading a table that was built in memory: {0}")]
    Open(#[from] OpenError),
    /// A version that knows what it is asked to predict.
    #[error(
        "{version} holds what happened up to {knows_to} and is asked about {asked}: that is no prediction; evaluate with \
         --from {knows_to} or later"
    )]
    LookAhead {
        /// The version.
        version: String,
        /// The end of its window, or of that in which its model was tuned.
        knows_to: String,
        /// The moment that it was asked about.
        asked: String,
    },
    /// A version of which nobody knows what it knows.
    #[error(
        "{version} does not say where its window ends, or that in which its model was tuned, so it may know what it is \
         asked to predict"
    )]
    UnknownWindow {
        /// The version.
        version: String,
    },
    /// No stretch of time, or far too many.
    #[error("from {from} to {to} by {step} there are {found} periods: take 1 to {most}, by another step or window")]
    Periods {
        /// The first moment.
        from: String,
        /// The end.
        to: String,
        /// The step.
        step: String,
        /// So many.
        found: String,
        /// The most taken.
        most: usize,
    },
    /// Nothing to judge by.
    #[error("no user met a second cluster from {from} to {to}: widen the window, or ask everyone (--everyone)")]
    NoPositions {
        /// The first moment.
        from: String,
        /// The end.
        to: String,
    },
    /// Predictions that no version gives.
    #[error("hit rate@{n} is asked for, and {version} answers with at most {width} predictions: lower --limit")]
    Width {
        /// The predictions asked for.
        n: usize,
        /// The version.
        version: String,
        /// Its rows' width.
        width: usize,
    },
}
