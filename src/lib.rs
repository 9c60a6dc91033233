//! Segue serves LLM recommendations in microseconds.
//!
//! *Interactions are counted, successors retrieved, an LLM asked, its answers judged, a table published; serving looks
//! up the current one.* Each module is one step of that sentence.

pub mod app;
pub mod cli;
pub mod config;
pub mod ids;
#[cfg(feature = "refresher")]
pub mod interactions;
pub mod lookup;
#[cfg(feature = "refresher")]
pub mod refresh;
#[cfg(feature = "refresher")]
pub mod retrieval;
pub mod serve;
#[cfg(feature = "refresher")]
pub mod simulate;
pub mod store;
pub mod table;
pub mod taxonomy;
pub mod telemetry;
