//! Why a refresh did not publish. Whatever it says, the live version stays.

use std::io;
use std::path::PathBuf;

use bytesize::ByteSize;

use crate::ids::{ModelId, VersionId};
use crate::inference::InferenceError;
use crate::interactions;
use crate::replay::ReplayError;
use crate::store::StoreError;
use crate::table::BuildError;
use crate::taxonomy::TaxonomyHash;

/// A refresh that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The clusters file.
    #[error(transparent)]
    Clusters(#[from] interactions::ClustersError),
    /// The log or the counts.
    #[error(transparent)]
    Log(#[from] interactions::Error),
    /// What the live table has lost.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The language model.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// A trend of counts that know no time.
    #[error(
        "retrieval.similarity = \"trend\" compares two windows of the log, and counts made elsewhere have none: use \
         \"frequency\" with --counts"
    )]
    TrendOfCounts,
    /// A tuned model that the back end cannot ask.
    #[error("inference.model = \"registry\" means {model} of the store, {problem}")]
    Model {
        /// The newest approved model.
        model: ModelId,
        /// Why it cannot be asked, and what to do.
        problem: String,
    },
    /// Questions of nobody.
    #[error(
        "--export-batch and --import-batch exchange a language model's questions, and inference.backend = \
         \"retrieved\" asks none: set it to \"openai-batch\""
    )]
    NothingToExchange,
    /// Questions that cannot be written.
    #[error("{path}, where the questions are to go, cannot be written: {source}")]
    Export {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The table.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two counts files of the same key length.
    #[error("{first} and {second} both count keys of {key_len}: give one file for each key length")]
    SameLength {
        /// The file given first.
        first: PathBuf,
        /// The file given second.
        second: PathBuf,
        /// The length of both.
        key_len: usize,
    },
    /// Counts for longer keys than the table has.
    #[error("{path} counts keys of {key_len}, the longest in the config is table.k = {k}: set table.k to {key_len}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its key length.
        key_len: usize,
        /// The config's.
        k: usize,
    },
    /// Nothing was counted, so the table would be empty.
    #[error("no transition was counted in {source_name}: {remedy}")]
    NoTransitions {
        /// What was counted.
        source_name: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The clusters file speaks of other clusters than the live version.
    #[error(
        "{path} has the taxonomy {hash}, channel `{channel}` is at {live} with {live_hash}: their clusters \
         differ; if that is meant, run `segue refresh --allow-taxonomy-change` once"
    )]
    Taxonomy {
        /// The clusters file.
        path: PathBuf,
        /// The channel.
        channel: String,
        /// What it points at.
        live: VersionId,
        /// The taxonomy of that version.
        live_hash: TaxonomyHash,
        /// The taxonomy of the clusters file.
        hash: TaxonomyHash,
    },
    /// The refresher would be ended in the middle of its work.
    #[error(
        "refresh.memory_limit = {limit} is less than the {needed} that a refresh may need (interactions.memory = \
         {counting}, table.memory = {building}, and room for the process): raise the one or lower the others"
    )]
    MemoryLimit {
        /// The limit of the config.
        limit: ByteSize,
        /// The least that fits.
        needed: ByteSize,
        /// What counting may take.
        counting: ByteSize,
        /// What building may take.
        building: ByteSize,
    },
    /// Another run holds the store's lock.
    #[error("another refresh of this store is under way ({path} is locked): wait for it, or cancel it")]
    UnderWay {
        /// The lock.
        path: PathBuf,
    },
    /// The lock cannot be made.
    #[error("{path} cannot be locked ({source}): the store must be writable for a refresh")]
    Lock {
        /// The lock.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Reading an input failed.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}
