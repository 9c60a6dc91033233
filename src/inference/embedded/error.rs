//! Why there is no model to ask.

use std::path::{Path, PathBuf};

use super::fetch::FetchError;

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The default model is neither here nor to be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A file that is no model of the supported family, or no adapter of this model.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Descriptions that this model could not tell apart, or not say.
    #[error("{0}")]
    Names(String),
    /// The build is made for a GPU, and none can be used.
    #[error("no GPU can be used: {0}; a build without the features `cuda` and `metal` computes on the processor")]
    Device(String),
    /// The machine gave no thread or no memory.
    #[error("the model's threads cannot be started: {0}")]
    Threads(String),
}

impl LoadError {
    pub(super) fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }
}
