//! Where files of exposures go: a directory, or an object store. Either way a file is there whole or not at all.

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "s3")]
use super::bucket::Bucket;
use super::config::ExposuresError;
use crate::files;

/// An exposure log's place.
pub(super) enum Place {
    Directory(PathBuf),
    #[cfg(feature = "s3")]
    Bucket(Bucket),
}

impl Place {
    /// Makes the directory, and makes sure that files can be written there; what a kill left half written is removed. An
    /// object store is not asked before there is something to put: that it is away for a while keeps nobody from starting.
    pub(super) fn open(path: &str) -> Result<Self, ExposuresError> {
        match Address::parse(path)? {
            Address::Directory(path) => {
                prepare(path).map_err(|source| ExposuresError::Directory { path: path.to_owned(), source })?;
                Ok(Self::Directory(path.to_owned()))
            }
            #[cfg(feature = "s3")]
            Address::Bucket { .. } => Ok(Self::Bucket(Bucket::open(path)?)),
            #[cfg(not(feature = "s3"))]
            Address::Bucket { .. } => Err(ExposuresError::Built(path.into())),
        }
    }

    /// Puts a file in place; until all of it is there, no reader sees any of it.
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) -> io::Result<()> {
        match self {
            Self::Directory(directory) => files::put(&directory.join(name), &bytes),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(bucket.put(name, bytes)).map_err(io::Error::other)
            }
        }
    }
}

fn prepare(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    files::unnamed(directory)?;
    let swept = files::sweep(directory)?;
    if swept > 0 {
        tracing::info!(swept, directory = %directory.display(), "files that a kill left half written are removed");
    }
    Ok(())
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.display().fmt(f),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address<'p> {
    Directory(&'p Path),
    Bucket { name: &'p str, prefix: &'p str },
}

impl<'p> Address<'p> {
    /// Looks at nothing but the text.
    pub(super) fn parse(path: &'p str) -> Result<Self, ExposuresError> {
        if path.is_empty() {
            return Err(ExposuresError::NoPath);
        }
        let Some((scheme, rest)) = path.split_once("://") else { return Ok(Self::Directory(Path::new(path))) };
        // Neither is repeated in a message: they may hold what must not be told.
        if rest.contains(['@', '?', '#']) {
            return Err(ExposuresError::Secrets);
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if scheme != "s3" || name.is_empty() {
            return Err(ExposuresError::Url(path.into()));
        }
        Ok(Self::Bucket { name, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_directory_or_a_bucket() {
        let bucket = |name, prefix| Address::Bucket { name, prefix };
        for (path, address) in [
            ("logs/exposures", Address::Directory(Path::new("logs/exposures"))),
            ("s3://logs", bucket("logs", "")),
            ("s3://logs/of/exposures/", bucket("logs", "of/exposures/")),
        ] {
            assert_eq!(Address::parse(path).unwrap(), address, "{path}");
        }
    }

    #[test]
    fn what_names_neither_is_refused_and_secrets_are_not_repeated() {
        let refused = |path| Address::parse(path).unwrap_err().to_string();
        assert!(refused("").contains("path is empty"));
        for path in ["gs://logs/exposures", "s3:///exposures", "file:///exposures"] {
            assert!(refused(path).contains(path) && refused(path).contains("s3://bucket/prefix"), "{path}");
        }
        for path in ["s3://key:hidden@logs/exposures", "s3://logs/exposures?secret=hidden"] {
            assert!(refused(path).contains("AWS_ACCESS_KEY_ID") && !refused(path).contains("hidden"), "{path}");
        }
    }
}
