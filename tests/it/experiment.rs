//! Live experiments: who is in which arm, and what an arm is worth.

mod analyze;
mod assign;
mod config;
mod declared;
mod exposures;
#[cfg(feature = "refresher")]
mod measure;
mod reference;
mod truth;
