//! Recent successors of a key (section 2.3): what users moved on to after it.
//!
//! They are what a prompt shows a language model ([`Context`]), by the choices of [`Config`]; and they fill a table's
//! row behind the model's answers ([`row`]). It decides nothing else, reads no log and asks nobody.

mod config;
mod context;
mod row;

pub use config::{Config, Granularity, Similarity};
pub use context::{Context, GLOBAL_TOP, Global, Shown, Successor, Transition};
pub use row::row;
