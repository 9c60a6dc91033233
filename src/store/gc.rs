//! Retention: what is neither in use, nor in reach of a rollback, nor new, is removed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::Store;
use super::channel::stack;
use super::durable::{if_present, names, sync_dir};
use super::error::{StoreError, failed};
use super::version::TABLE_FILE;
use crate::files::unique_path;
use crate::ids::VersionId;

impl Store {
    /// Removes the versions that nothing needs, and what processes that died left in drafts; returns the versions that
    /// were (with `dry_run`: would be) removed, newest first.
    ///
    /// Kept are the versions that channels point at, the [`keep`](super::Config::keep) before it in each channel's
    /// stack, and the `keep` newest.
    pub fn gc(&self, dry_run: bool) -> Result<Vec<VersionId>, StoreError> {
        let _alone = self.lock(FlockOperation::LockExclusive)?;
        let unneeded = self.unneeded()?;
        if !dry_run {
            unneeded.iter().try_for_each(|&version| self.set_aside(version))?;
            sync_dir(&self.versions_dir())?;
            self.sweep()?;
        }
        Ok(unneeded)
    }

    /// Removes a folder below the store's directory, at once for everyone who looks; one that is gone stays so.
    pub fn discard(&self, dir: &Path) -> Result<(), StoreError> {
        let aside = unique_path(&self.drafts_dir(), "discarded");
        if if_present(std::fs::rename(dir, &aside).map_err(failed("removing", dir)))?.is_some() {
            // What a kill leaves, or cannot be removed, is swept by gc.
            let _ = std::fs::remove_dir_all(&aside);
        }
        Ok(())
    }

    fn unneeded(&self) -> Result<Vec<VersionId>, StoreError> {
        let mut versions = self.versions()?;
        let mut needed: BTreeSet<VersionId> = versions.iter().take(self.keep).copied().collect();
        for channel in self.channel_folders()? {
            let in_reach = stack(&self.moves(&channel)?).into_iter().rev();
            needed.extend(in_reach.take(self.keep.saturating_add(1)));
        }
        versions.retain(|version| !needed.contains(version));
        Ok(versions)
    }

    /// Takes a version out at once: one that is half deleted must never be seen.
    fn set_aside(&self, version: VersionId) -> Result<(), StoreError> {
        let dir = self.version_dir(version);
        std::fs::rename(&dir, unique_path(&self.drafts_dir(), "removed")).map_err(failed("removing", &dir))
    }

    /// Deletes what no living process owns. Moves in the making are owned by holders of the store's lock, of whom
    /// there is none now; drafts are locked by their owners.
    fn sweep(&self) -> Result<(), StoreError> {
        let drafts = self.drafts_dir();
        for path in names(&drafts)?.into_iter().map(|name| drafts.join(name)) {
            if path.is_file() {
                if_present(std::fs::remove_file(&path).map_err(failed("sweeping", &path)))?;
            } else if is_dead(&path).map_err(failed("sweeping", &path))? {
                if_present(std::fs::remove_dir_all(&path).map_err(failed("sweeping", &path)))?;
            }
        }
        Ok(())
    }
}

/// Whether a draft's owner is gone, and its lock with it.
fn is_dead(draft: &Path) -> io::Result<bool> {
    let table = match File::options().read(true).write(true).open(draft.join(TABLE_FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        other => other?,
    };
    match rustix::fs::flock(&table, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Ok(false),
        locked => Ok(locked.map(|()| true)?),
    }
}
