//! Segue serves LLM recommendations in microseconds.
//!
//! *Interactions are counted, successors retrieved, an LLM asked, its answers judged, a table published; serving looks
//! up the current one.* Each module is one step of that sentence.

pub mod ids;
pub mod lookup;
pub mod serve;
pub mod store;
pub mod table;
pub mod taxonomy;
