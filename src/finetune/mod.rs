//! What a language model is fine-tuned with (section 2.2): thousands of samples `[(c1, ..., ck), c_next]`.
//!
//! [`curate`] reads the log once, in the order of time, and writes three files of chat JSON lines and a manifest. Users
//! are in one of the three only. A sample is a step to a cluster that its user had never met, and its prompt shows
//! nothing of its own time or later. Two back ends tune a model with such files: `train` learns an adapter in this process,
//! [`jobs`] has an endpoint do it. [`measure`] asks the tuned model for what held-out users then did.

mod config;
mod curate;
mod draw;
mod error;
pub mod jobs;
mod manifest;
mod measure;
mod positions;
mod recent;
mod samples;
mod shared;
mod standing;
#[cfg(feature = "embedded")]
mod train;
mod training;
mod write;

pub use config::{Backend, Config, Labels};
pub use curate::{Settings, curate};
pub use error::FinetuneError;
pub use manifest::{Manifest, SplitManifest};
pub use measure::{Asking, Examination, Measured, measure, prompts_of};
pub use samples::{Chat, Samples};
pub use standing::{Pulse, Standing};
#[cfg(feature = "embedded")]
pub use train::{Adapted, train};
pub use training::{Training, samples_to};

/// What a tuned model says of itself, beside it.
const TRAINING_FILE: &str = "training.json";
