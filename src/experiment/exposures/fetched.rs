//! An exposure log where it can be read: as it lies, or copied from an object store for as long as it is read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use super::bucket::Bucket;
use super::config::ExposuresError;
use crate::files::unique_path;

/// Objects that are copied at once.
const AT_ONCE: usize = 8;

pub(in crate::experiment) struct Fetched {
    path: String,
    /// Removed in the end.
    copy: Option<PathBuf>,
}

impl Fetched {
    /// A log whose path is an object store's is copied to a directory of its own in `spill`; any other stays.
    pub(in crate::experiment) async fn of(path: &str, spill: &Path) -> Result<Self, ExposuresError> {
        if !path.starts_with("s3://") {
            return Ok(Self { path: path.into(), copy: None });
        }
        let bucket = Bucket::open(path)?;
        let copy = unique_path(spill, "segue-exposures");
        let failed = |problem: String| ExposuresError::Fetch { url: path.into(), into: copy.clone(), problem };
        fs::create_dir(&copy).map_err(|error| failed(error.to_string()))?;
        // From here on it is removed.
        let fetched = Self { path: copy.display().to_string(), copy: Some(copy.clone()) };
        match bucket.fetch(&copy).await.map_err(|error| failed(error.to_string()))? {
            0 => Err(failed("there is no object".into())),
            _ => Ok(fetched),
        }
    }

    /// A directory, a file or a glob.
    pub(in crate::experiment) fn path(&self) -> &str {
        &self.path
    }
}

impl Bucket {
    /// Copies its objects into a directory, each under its name behind a number, but for hidden ones; returns how many.
    async fn fetch(&self, directory: &Path) -> io::Result<usize> {
        let objects = self.store.list(Some(&self.prefix)).enumerate();
        let copied =
            objects.map(|(number, object)| async move { self.copy(object?.location, number, directory).await });
        copied.buffer_unordered(AT_ONCE).try_fold(0, async |sum, copied| Ok(sum + usize::from(copied))).await
    }

    async fn copy(&self, from: ObjectPath, number: usize, directory: &Path) -> io::Result<bool> {
        let name = from.filename().unwrap_or_default();
        if name.starts_with(['.', '_']) {
            return Ok(false);
        }
        let mut file = File::create(directory.join(format!("{number}-{name}")))?;
        let mut bytes = self.store.get(&from).await?.into_stream();
        while let Some(part) = bytes.try_next().await? {
            file.write_all(&part)?;
        }
        Ok(true)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            // What stays is where temporary files are.
            let _ = fs::remove_dir_all(copy);
        }
    }
}
