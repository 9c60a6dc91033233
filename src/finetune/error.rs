//! Why there are no samples.

use std::io;
use std::path::PathBuf;

use crate::inference::InferenceError;
use crate::inference::openai::JobError;
use crate::interactions::{Error, Part, Window};

/// Why samples could not be curated.
#[derive(Debug, thiserror::Error)]
pub enum FinetuneError {
    /// A key of `[finetune]` that means nothing.
    #[error("[finetune] {field} = {value}: {remedy}")]
    Config {
        /// The key.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        remedy: &'static str,
    },
    /// Too little to learn from.
    #[error(
        "the window {window} holds {found} distinct novel transitions to learn from, {needed} are needed: widen [finetune] window or lower min_samples"
    )]
    TooFew {
        /// Where they were looked for.
        window: Window,
        /// How many there are.
        found: usize,
        /// How many there should be.
        needed: usize,
    },
    /// Whatever is asked, the answer is the same.
    #[error(
        "every sample of the window {window} has the same answer, `{label}`: there is nothing to learn; widen [finetune] window, or check the clusters"
    )]
    OneLabel {
        /// Where samples were looked for.
        window: Window,
        /// The answer.
        label: String,
    },
    /// Users of one part made no novel transition.
    #[error("no user for the {} made a novel transition in the window {window}: widen [finetune] window, or raise {}", part_name(*.part), remedy(*.part))]
    NoUsers {
        /// Where they were looked for.
        window: Window,
        /// The part.
        part: Part,
    },
    /// One context for all keys changes with every event.
    #[error(
        "samples with the prompt `rag` show the successors of their own key: set retrieval.granularity to \"instance\", or [finetune] prompt to \"base\""
    )]
    Global,
    /// Something is there already, and is not written over.
    #[error("{0} exists already: name another directory, or remove it")]
    Exists(PathBuf),
    /// The system refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Samples that are not what was curated.
    #[error("{}: {problem}", path.display())]
    Samples {
        /// The directory, or the file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Two runs in one directory.
    #[error("another process is at work in {}: wait for it, or name another --dir", .0.display())]
    Busy(PathBuf),
    /// Judging a tuned model broke off.
    #[error(
        "{failed} of {asked} questions to the tuned model were not answered; the log says why. Run again: what it answered is kept, and the model is judged once it has answered"
    )]
    Unanswered {
        /// Questions without an answer.
        failed: u64,
        /// Questions.
        asked: u64,
    },
    /// An endpoint that does not tune: what happened, and what to do.
    #[error("{0}")]
    Endpoint(String),
    /// A job that comes to nothing.
    #[error("the fine-tuning job {job} {problem}")]
    Job {
        /// Its name at the endpoint.
        job: String,
        /// What became of it, and what to do.
        problem: String,
    },
    /// Training failed.
    #[cfg(feature = "embedded")]
    #[error(transparent)]
    Tune(#[from] crate::inference::embedded::tune::TuneError),
    /// The log.
    #[error(transparent)]
    Log(#[from] Error),
    /// The prompt, the clusters, or the tuned model while it was asked.
    #[error(transparent)]
    Inference(#[from] InferenceError),
}

impl From<JobError> for FinetuneError {
    fn from(error: JobError) -> Self {
        Self::Endpoint(error.to_string())
    }
}

pub(super) fn part_name(part: Part) -> &'static str {
    match part {
        Part::Train => "training",
        Part::Validation => "validation",
        Part::Test => "test",
    }
}

fn remedy(part: Part) -> &'static str {
    match part {
        Part::Train | Part::Validation => "[finetune] validation",
        Part::Test => "evaluation.held_out.share",
    }
}
