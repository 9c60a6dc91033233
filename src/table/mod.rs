//! The published file (section 2.1): every key's predictions, all back-off levels, the popular row and the cluster
//! names, in one immutable, zero-copy table.
//!
//! [`mod@format`] draws the bytes, [`TableBuilder`] writes them from a stream within a memory bound, [`Table`] reads them
//! from any bytes, and [`Table::verify`] proves them once so that a lookup never has to.
//!
//! The table knows nothing of where files live or who serves them.

mod archive;
mod build;
mod config;
mod error;
pub mod format;
mod index;
mod lineage;
mod place;
mod prefetch;
mod read;
mod row;
mod sort;
mod verify;

pub use build::{BuildLimits, Shape, TableBuilder};
pub use config::{Config, MinCount};
pub use error::{BuildError, OpenError, VerifyError};
pub use lineage::Lineage;
pub use place::{Place, Row};
pub use read::{SectionSummary, Table};
pub use row::{Candidate, Entry, Score, Source};
