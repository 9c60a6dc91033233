//! The exposure log: which unit was answered by which arm, once a unit, arm and day (UTC), as Parquet files in a
//! directory or an object store. Without a place the same exposures are counted, and none is kept.
//!
//! A lookup costs a look into a table of those seen today, and for a new one an offer to a bounded queue: it never
//! waits. What the queue does not take is counted and offered again at the unit's next lookup. A unit for which the table
//! has no room is written at each lookup and counts as no unit; so one may be written twice, and none is missing without
//! being counted. One thread writes, from the first experiment on. Of files, only whole ones have a name that is read; a
//! crash loses what was not yet written, at most [`ExposuresConfig::every`] of it.

mod arms;
#[cfg(feature = "s3")]
mod bucket;
mod config;
mod encode;
#[cfg(feature = "refresher")]
mod fetched;
mod log;
mod place;
mod seen;
mod today;
mod work;
mod writer;

use std::sync::Arc;

pub use config::{ExposuresConfig, ExposuresError};
#[cfg(feature = "refresher")]
pub(super) use fetched::Fetched;
pub use log::{ArmExposures, Exposures, describe_metrics};
pub use writer::ExposureWriter;

/// One unit's first lookup of a day that its arm answered.
struct Exposure {
    /// Carried along, so that a row tells of the arm that answered, whatever runs when it is written.
    arm: Arc<arms::Arm>,
    unit: Box<str>,
    /// Microseconds since 1970.
    at: i64,
    version: u64,
    /// Whether it is remembered, so that it counts as a unit; what is not may come again.
    is_new: bool,
}

impl Exposure {
    fn day(&self) -> i64 {
        day(self.at)
    }
}

/// The day of a time in microseconds, from 1970-01-01 in UTC.
fn day(at: i64) -> i64 {
    at.div_euclid(86_400_000_000)
}
