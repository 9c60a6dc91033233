//! A log walked through time (section 3.1): what would each version of the table have predicted, and what did users do?
//!
//! Counting is the statement that counts for a refresh, rows are made by what makes a refresh's, and questions are
//! answered by the very [`lookup`](crate::lookup) that serves. Nothing is asked about a moment at or before which its
//! table was still being counted.

mod ageing;
mod asking;
mod backtest;
mod build;
mod drift;
mod error;
mod hit_rate;
mod null;
mod step;
mod stretch;
mod tally;

pub use ageing::ageing;
pub use backtest::{BackTest, Decided, ParsePolicyError, Policy, Replayed, Weighing, backtest};
pub use build::{build, counted};
pub use drift::{Drift, Identical, Neighbours, SUPPORTS, TOPS, drift};
pub use error::ReplayError;
pub use hit_rate::{Settings, hit_rate};
pub use null::{Null, Pooled};
pub use step::{Period, Step, periods};
pub use stretch::{Compared, Refresh, Rows, Stored, Version};
pub use tally::{CutShort, Difference, HitRate, Level, Rates, Scores};

/// What a replay is doing, of how much in all.
pub type Progress<'p> = &'p mut (dyn FnMut(u64, u64, String) + Send);
