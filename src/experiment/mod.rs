//! Live experiments (section 3.2): which arm a unit is in, and what an arm is worth.
//!
//! An experiment takes over one channel: a lookup on it that names a unit is answered from the channel of the unit's
//! arm. Arms are channels, so each swaps its tables on its own. Assignment and [`analyze`] are pure: no I/O, no clock,
//! no state.

pub mod analyze;
mod assign;
mod config;
mod declared;
mod exposures;
#[cfg(feature = "refresher")]
mod measure;

pub use assign::{Assigned, Experiments};
pub use config::{ArmConfig, Config, ConfigError, MAX_ARMS, MAX_EXPERIMENTS, MAX_TEXT};
pub use declared::{Declaration, DeclareError, Declared, Ledger, Listed, Listing, Phase, Refused, Source, Standing};
pub use exposures::{ArmExposures, ExposureWriter, Exposures, ExposuresConfig, ExposuresError, describe_metrics};
#[cfg(feature = "refresher")]
pub use measure::{
    Comparison, Day, Difference, Formula, LogCounts, MeasureError, Met, OutcomeColumns, OutcomesConfig, Question,
    Report, Step, Values, measure,
};
