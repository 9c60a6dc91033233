//! Live experiments (section 3.2): which arm a unit is in, and what an arm is worth.
//!
//! An experiment takes over one channel: a lookup on it that names a unit is answered from the channel of the unit's
//! arm. Arms are channels, so each swaps its tables on its own. Assignment and [`analyze`] are pure: no I/O, no clock,
//! no state.

pub mod analyze;
mod assign;
mod config;
mod exposures;
#[cfg(feature = "refresher")]
mod measure;

pub use assign::{Assigned, Experiments};
pub use config::{ArmConfig, Config, ConfigError};
pub use exposures::{ExposureWriter, Exposures, ExposuresConfig, ExposuresError, describe_metrics};
#[cfg(feature = "refresher")]
pub use measure::{
    Comparison, Day, Difference, Formula, LogCounts, MeasureError, Met, OutcomeColumns, OutcomesConfig, Question,
    Report, measure,
};
