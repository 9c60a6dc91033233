//! Tuning: a LoRA adapter learnt in this process (section 2.2), on the same tree of tokens that answers are computed
//! on.
//!
//! The model's own weights are frozen; what is learnt is small. What samples have in common from their start is
//! computed once a pass, forwards and backwards, and only answers are scored. There is no padding, so samples need no
//! sorting by length. Numbers are f32: candle multiplies no bf16 matrices on a CPU.

mod adam;
mod batch;
mod checkpoint;
mod config;
mod error;
mod file;
mod lora;
mod ops;
mod pass;
mod run;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use checkpoint::{Standing, standing};
pub use config::{Config, Targets};
pub use error::TuneError;

use super::LoadError;
use super::worker::apart;
use crate::inference::Message;

/// What is asked, and what should be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The prompt, in order.
    pub messages: Vec<Message>,
    /// The answer's whole text.
    pub answer: String,
}

/// What to train.
#[derive(Clone, Debug)]
pub struct Job {
    /// The base model and its threads; its adapter, if it names one, is left aside.
    pub model: super::Config,
    /// How.
    pub config: Config,
    /// What is learnt from.
    pub train: Vec<Sample>,
    /// What tells when to stop.
    pub validation: Vec<Sample>,
    /// Where training stands is kept there, and gone on from. The folder must exist.
    pub checkpoint: PathBuf,
}

/// Told after every step.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps made, those before the checkpoint too.
    pub step: usize,
    /// Steps that all epochs take.
    pub steps: usize,
    /// The last step's mean loss of an answer token, in nats.
    pub loss: f32,
    /// The same on the validation samples, where this step looked at them.
    pub validation: Option<f32>,
    /// Tokens of the samples learnt from in this process, answers included.
    pub tokens: usize,
    /// How many of them were computed: the others were shared.
    pub computed: usize,
    /// Since this process began its first step.
    pub elapsed: Duration,
}

/// A look at the validation samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps made.
    pub step: usize,
    /// The mean loss of an answer token over the steps since the last look; `None` before the first step.
    pub train: Option<f32>,
    /// The same on the validation samples.
    pub validation: f32,
}

/// A trained adapter.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The base model's SHA-256.
    pub base: String,
    /// How the loss fell. The adapter is of the lowest point.
    pub curve: Vec<Point>,
    /// Steps made.
    pub steps: usize,
    /// The adapter as a GGUF file in llama.cpp's form.
    pub adapter: Vec<u8>,
}

impl Tuned {
    /// The lowest point of the curve.
    pub fn best(&self) -> Option<Point> {
        self.curve.iter().copied().reduce(|best, point| if point.validation < best.validation { point } else { best })
    }

    /// Puts the adapter in place, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), TuneError> {
        file::put(path, &self.adapter)
    }
}

/// Trains in threads of the lowest priority and tells of every step; blocks meanwhile. Where `told` breaks off, or the
/// process ends, the next call with the same job goes on from the last checkpoint, and comes to the same adapter.
pub fn tune(job: &Job, mut told: impl FnMut(&Progress) -> ControlFlow<()> + Send) -> Result<Tuned, TuneError> {
    job.config.check()?;
    for (split, samples) in [("training", &job.train), ("validation", &job.validation)] {
        if samples.is_empty() {
            return Err(TuneError::NoSamples(split));
        }
    }
    let base = job.model.model()?;
    let path = base.path.clone();
    let failed = || LoadError::file(&path, "the computation failed inside: the file may be damaged");
    apart(&job.model, || run::run(job, base, &mut told), failed)?.1
}
