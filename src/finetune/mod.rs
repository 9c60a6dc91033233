//! What a language model is fine-tuned with (section 2.2): thousands of samples `[(c1, ..., ck), c_next]`.
//!
//! [`curate`] reads the log once, in the order of time, and writes three files of chat JSON lines and a manifest. Users
//! are in one of the three only. A sample is a step to a cluster that its user had never met, and its prompt shows
//! nothing of its own time or later. `train` learns an adapter from such files in this process, and `measure` asks
//! a tuned model for what held-out users then did.

mod config;
mod curate;
mod draw;
mod error;
mod manifest;
mod measure;
mod recent;
mod samples;
#[cfg(feature = "embedded")]
mod train;
mod write;

pub use config::{Config, Labels};
pub use curate::{Settings, curate};
pub use error::FinetuneError;
pub use manifest::{Manifest, SplitManifest};
pub use measure::{Examination, measure};
pub use samples::{Chat, Samples};
#[cfg(feature = "embedded")]
pub use train::{Training, train};
