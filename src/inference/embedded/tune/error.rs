//! Why no adapter came out.

use std::path::{Path, PathBuf};

use crate::inference::embedded::LoadError;

/// Why training did not start, or ended without an adapter.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// A key of `[finetune.embedded]` that trains nothing.
    #[error("[finetune.embedded] {field} = {value}: {remedy}")]
    Config {
        /// The key.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        remedy: &'static str,
    },
    /// The base model is not to be had, or not of the supported family.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Nothing to learn from, or to watch.
    #[error("there is no {0} sample: curate samples again (`segue finetune curate`)")]
    NoSamples(&'static str),
    /// A sample that the model cannot take.
    #[error("{split} sample {number}: {problem}")]
    Sample {
        /// `training` or `validation`.
        split: &'static str,
        /// Counts from 1.
        number: usize,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A checkpoint that cannot be gone on from.
    #[error("the checkpoint {}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The numbers went beyond all bounds.
    #[error("the loss of step {step} is {loss}: lower [finetune.embedded] learning_rate")]
    Diverged {
        /// The step.
        step: usize,
        /// Its loss.
        loss: f64,
    },
    /// Whoever watched ended it.
    #[error("stopped after step {step}: it goes on from the last checkpoint when it is run again")]
    Stopped {
        /// The last step made.
        step: usize,
    },
    /// The system refused.
    #[error("writing {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// The computation failed inside.
    #[error("training failed inside: {0}")]
    Compute(#[from] candle_core::Error),
}

impl TuneError {
    pub(super) fn checkpoint(path: &Path, problem: impl ToString) -> Self {
        Self::Checkpoint { path: path.to_owned(), problem: problem.to_string() }
    }
}
