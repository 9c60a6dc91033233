//! `[exposures]`: where they are written, and what that may take.

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::place::Address;

/// The exposure log (`[exposures]`). Nothing is written, or created, without a path, or before an experiment runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExposuresConfig {
    /// Where the log's files go, a directory or `s3://bucket/prefix`; replicas may share it. Without one nothing is
    /// logged: exposures are counted only.
    pub path: Option<String>,
    /// A file is written when so much time has passed since its first exposure.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Or when it has so many exposures.
    pub rows: NonZeroUsize,
    /// Exposures that may wait for the writing thread. What comes on top is counted as dropped.
    pub queue: NonZeroUsize,
    /// Memory for telling which units of the day are logged already; a power of two of it is taken. With 16 bytes a unit
    /// of a day, one in 4,000 is logged at each of its lookups; with 8, one in 13.
    pub memory: ByteSize,
}

impl Default for ExposuresConfig {
    fn default() -> Self {
        let many = NonZeroUsize::MIN.saturating_add((1 << 16) - 1);
        let every = Duration::from_secs(60);
        Self { path: None, every, rows: many, queue: many, memory: ByteSize(8 << 20) }
    }
}

/// Why exposures cannot be logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExposuresError {
    /// A path that names nothing.
    #[error("[exposures] path is empty: name a directory or an object store, or leave it out to log nothing")]
    NoPath,
    /// A URL of something else.
    #[error("`{0}` is no place for exposures: name a directory, or an object store as s3://bucket/prefix")]
    Url(String),
    /// A URL with more than a bucket and a prefix.
    #[error(
        "the URL of the exposures has more than a bucket and a prefix, a password perhaps: write s3://bucket/prefix, and \
         give credentials by the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
    )]
    Secrets,
    /// An object store, in a build that knows none.
    #[error(
        "exposures cannot be kept in `{0}`: this build knows directories only; name one, or build with --features s3"
    )]
    Built(String),
    /// An object store that cannot be set up.
    #[error("exposures cannot be kept in `{url}`: {problem}; check the variables AWS_* of the environment")]
    Bucket {
        /// The store.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// An object store that cannot be read.
    #[error("the exposures in `{url}` cannot be copied to {}: {problem}; check the variables AWS_* of the environment", into.display())]
    Fetch {
        /// The store.
        url: String,
        /// Where they were to be read.
        into: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A queue or a file of a size that no memory holds.
    #[error("[exposures] {field} = {value}: at most {most} are taken")]
    TooMany {
        /// The key.
        field: &'static str,
        /// What it says.
        value: usize,
        /// What is possible.
        most: usize,
    },
    /// The directory cannot be made or written to.
    #[error("[exposures] path = `{path}` cannot be written to: {source}; name a directory that this user may write")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// No thread to write them.
    #[error("the thread that writes exposures cannot be started: {0}")]
    Thread(io::Error),
}

/// Of exposures waiting, and of exposures in a file: both are held in memory.
const MOST: usize = 1 << 24;

impl ExposuresConfig {
    /// Refuses what cannot be written to. Looks at nothing but the config.
    pub fn check(&self) -> Result<(), ExposuresError> {
        self.path.as_deref().map(Address::parse).transpose()?;
        for (field, value) in [("rows", self.rows.get()), ("queue", self.queue.get())] {
            if value > MOST {
                return Err(ExposuresError::TooMany { field, value, most: MOST });
            }
        }
        Ok(())
    }
}
