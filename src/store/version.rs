//! Immutable tables with numbers that only grow.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::channel::check_note;
use super::durable::{names, numbers, open_file, read_json, sync_dir, write_json};
use super::error::{StoreError, failed};
use super::manifest::checksum;
use super::mapping::Mapping;
use super::private::PrivateFile;
use super::{Draft, Manifest, Provenance, Store};
use crate::ids::VersionId;
use crate::table::Table;

pub(super) const TABLE_FILE: &str = "table.segue";
const MANIFEST_FILE: &str = "manifest.json";

impl Draft {
    /// A private copy of the draft's table as it stands, shown to be whole.
    pub fn open(&self) -> Result<Table<Mapping>, StoreError> {
        let drafts = self.path().parent().unwrap_or(self.path());
        verified_copy(&self.path().join(TABLE_FILE), drafts)
    }
}

impl Store {
    /// Makes a version of a draft: verifies its table, makes every file durable and claims the next number.
    pub fn add(&self, draft: Draft, provenance: Provenance) -> Result<Manifest, StoreError> {
        check_note("creator", &provenance.creator)?;
        check_note("reason", &provenance.reason)?;
        sync_files(draft.path())?;
        let table = verified_copy(&draft.path().join(TABLE_FILE), &self.drafts_dir())?;
        // gc must not free a number between its choice and its claim.
        let _shared = self.lock(FlockOperation::LockShared)?;
        let mut manifest = Manifest::of(&table, self.next_version()?, provenance);
        loop {
            write_json(&draft.path().join(MANIFEST_FILE), &manifest)?;
            sync_dir(draft.path())?;
            if self.claim(draft.path(), manifest.version)? {
                return Ok(manifest);
            }
            manifest.version = self.next_version()?;
        }
    }

    /// Every version, newest first.
    pub fn versions(&self) -> Result<Vec<VersionId>, StoreError> {
        let numbers = numbers(&self.versions_dir(), "", "a version's folder")?;
        Ok(numbers.into_iter().rev().map(VersionId).collect())
    }

    /// A version's description.
    pub fn manifest(&self, version: VersionId) -> Result<Manifest, StoreError> {
        let dir = self.version_dir(version);
        if !dir.try_exists().map_err(failed("looking for", &dir))? {
            return Err(StoreError::NoVersion { version, path: self.versions_dir() });
        }
        let path = dir.join(MANIFEST_FILE);
        let damaged = |problem: &str| StoreError::Damaged { path: path.clone(), problem: problem.into() };
        let manifest: Manifest = read_json(&path)?.ok_or_else(|| damaged("it is missing"))?;
        if manifest.version == version { Ok(manifest) } else { Err(damaged("it describes another version")) }
    }

    /// Where a version's table lies. Whoever opens it should take a copy: the store's own files can be cut off.
    pub fn table_path(&self, version: VersionId) -> PathBuf {
        self.version_dir(version).join(TABLE_FILE)
    }

    pub(super) fn version_dir(&self, version: VersionId) -> PathBuf {
        self.versions_dir().join(version.0.to_string())
    }

    /// Shows that a version's table opens, is whole, and is the one that was added.
    pub(super) fn prove(&self, version: VersionId) -> Result<(), StoreError> {
        self.proven_copy(version, &self.drafts_dir()).map(drop)
    }

    /// A private copy, in `dir`, of a version's table, shown to be whole and the one that was added. All of it has been
    /// read, so it is in memory.
    pub(super) fn proven_copy(&self, version: VersionId, dir: &Path) -> Result<Table<Mapping>, StoreError> {
        let stated = self.manifest(version)?.checksum;
        let path = self.table_path(version);
        let table = verified_copy(&path, dir)?;
        let found = checksum(&table);
        if found == stated { Ok(table) } else { Err(StoreError::Exchanged { path, stated, found }) }
    }

    /// The number after all that were ever used: channels remember those that are gone.
    fn next_version(&self) -> Result<VersionId, StoreError> {
        let mut last = self.versions()?.first().copied().unwrap_or(VersionId(0));
        for channel in self.channel_folders()? {
            last = self.moves(&channel)?.iter().map(|step| step.version).fold(last, VersionId::max);
        }
        let used_up = || StoreError::Foreign { path: self.version_dir(last), expected: "a number that can grow" };
        last.0.checked_add(1).map(VersionId).ok_or_else(used_up)
    }

    /// Gives a draft its number; false if the number was taken.
    fn claim(&self, draft: &Path, version: VersionId) -> Result<bool, StoreError> {
        let dir = self.version_dir(version);
        // A folder that has files in it is never replaced by a rename, and every version has.
        match std::fs::rename(draft, &dir) {
            Err(error) if is_taken(error.kind()) => return Ok(false),
            renamed => renamed.map_err(failed("claiming", &dir))?,
        }
        sync_dir(&self.versions_dir())?;
        Ok(true)
    }
}

pub(super) fn is_taken(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory)
}

pub(super) fn sync_files(dir: &Path) -> Result<(), StoreError> {
    names(dir)?.into_iter().map(|name| dir.join(name)).try_for_each(|path| {
        let synced = File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(failed("syncing", &path))
    })
}

/// Copies a table to where nobody can change it, and verifies the copy.
fn verified_copy(path: &Path, dir: &Path) -> Result<Table<Mapping>, StoreError> {
    let source = open_file(path)?;
    tracing::debug!(?path, "copying");
    let copy = PrivateFile::copy(&source, dir).map_err(failed("copying a table into", dir))?;
    tracing::debug!(?path, "syncing");
    copy.sync().map_err(failed("syncing a private copy in", dir))?;
    let mapping = Mapping::of(&copy).map_err(failed("mapping a copy of", path))?;
    let wrong = |source| StoreError::Table { path: path.to_owned(), source };
    let table = Table::open(mapping).map_err(|error| wrong(error.into()))?;
    tracing::debug!(?path, "verifying");
    table.verify().map_err(wrong)?;
    tracing::debug!(?path, "verified");
    Ok(table)
}
