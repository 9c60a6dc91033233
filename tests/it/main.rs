//! Behaviour through public doors, in one binary so that it links once.

// What helpers unwrap is the test's own set-up.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "refresher")]
mod cadence;
#[cfg(feature = "refresher")]
mod chart;
mod client;
mod conformance;
#[cfg(feature = "refresher")]
mod count;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "refresher")]
mod evaluation;
mod experiment;
#[cfg(feature = "refresher")]
mod finetune;
mod imports;
#[cfg(feature = "refresher")]
mod inference;
mod lookup;
#[cfg(feature = "refresher")]
mod process;
#[cfg(feature = "refresher")]
mod replay;
mod serve;
#[cfg(feature = "refresher")]
mod simulate;
mod store;
mod support;
mod table;
