//! What a language model is fine-tuned with (section 2.2): thousands of samples `[(c1, ..., ck), c_next]`.
//!
//! [`curate`] reads the log once, in the order of time, and writes three files of chat JSON lines and a manifest. Users
//! are in one of the three only. A sample is a step to a cluster that its user had never met, and its prompt shows nothing
//! of its own time or later.

mod config;
mod curate;
mod draw;
mod error;
mod manifest;
mod recent;
mod write;

pub use config::{Config, Labels};
pub use curate::{Settings, curate};
pub use error::FinetuneError;
pub use manifest::{Manifest, SplitManifest};
