//! What can go wrong with tuned models.

use std::path::PathBuf;

use super::ModelState;
use crate::ids::ModelId;

/// Why a model is not to be had, or not asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No such model.
    #[error("there is no model {model} in {}: `segue models list` shows those there are", path.display())]
    Unknown {
        /// The model.
        model: ModelId,
        /// The folder of models.
        path: PathBuf,
    },
    /// An adapter that is not the one that was added.
    #[error("{} is not the adapter that {model} was added with: restore it from a backup of the store", path.display())]
    Exchanged {
        /// The model.
        model: ModelId,
        /// The file.
        path: PathBuf,
    },
    /// A rollback to a model that may not be asked.
    #[error("{model} is {state}, and only an approved model is asked: `segue models approve {model} --why ...` first")]
    NotApproved {
        /// The model.
        model: ModelId,
        /// Its state.
        state: ModelState,
    },
    /// A rollback where there is nothing to go back to.
    #[error("there is no approved model before the one that is asked now: approve another one instead")]
    NothingBefore,
}
