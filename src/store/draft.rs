//! Where a version is built before it has a number.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::Store;
use super::error::{StoreError, failed};
use super::version::TABLE_FILE;
use crate::files::unique_path;

/// A private folder in the store with an empty table file in it. It is gone when dropped; after a crash, gc sweeps it.
///
/// Files put beside the table become part of the version.
#[derive(Debug)]
pub struct Draft {
    dir: PathBuf,
    /// Locked as long as this process lives, which tells gc that the draft does.
    table: File,
}

impl Draft {
    /// The table file, empty and open for reading and writing.
    pub fn table(&mut self) -> &mut File {
        &mut self.table
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What cannot be removed now is unlocked from here on, and so swept by the next gc. A draft that became a
        // version is no longer there.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Store {
    /// Makes a draft.
    pub fn draft(&self) -> Result<Draft, StoreError> {
        // Between its making and its lock, a draft looks dead to gc.
        let _shared = self.lock(FlockOperation::LockShared)?;
        let dir = unique_path(&self.drafts_dir(), "draft");
        std::fs::create_dir(&dir).map_err(failed("making the folder", &dir))?;
        let path = dir.join(TABLE_FILE);
        let created = File::options().read(true).write(true).create_new(true).open(&path);
        let table = created.map_err(failed("making the file", &path))?;
        let draft = Draft { dir, table };
        let locked = rustix::fs::flock(&draft.table, FlockOperation::NonBlockingLockExclusive);
        locked.map_err(|error| failed("locking", &path)(error.into()))?;
        Ok(draft)
    }

    /// Locks the store until the file returned is closed. Adding and moving share it; gc has it alone, so that nothing
    /// that it removes is being pointed at meanwhile.
    pub(super) fn lock(&self, operation: FlockOperation) -> Result<File, StoreError> {
        let path = self.lock_path();
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(failed("opening", &path))?;
        rustix::fs::flock(&file, operation).map_err(|error| failed("locking", &path)(error.into()))?;
        Ok(file)
    }
}
