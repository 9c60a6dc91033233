//! A folder of files that are added and never changed, numbered from 1 without holes: histories that nobody can lose an
//! entry of.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::durable::{if_present, numbers, read_json, sync_dir, write_json};
use super::error::{StoreError, failed};
use crate::files::unique_path;

const SUFFIX: &str = ".json";

/// Where an entry lies.
pub(super) fn path(dir: &Path, seq: u64) -> PathBuf {
    dir.join(format!("{seq}{SUFFIX}"))
}

/// The numbers there are, ascending.
pub(super) fn all(dir: &Path, expected: &'static str) -> Result<Vec<u64>, StoreError> {
    Ok(if_present(numbers(dir, SUFFIX, expected))?.unwrap_or_default())
}

/// The highest number; 0 where there is none.
pub(super) fn last(dir: &Path, expected: &'static str) -> Result<u64, StoreError> {
    Ok(all(dir, expected)?.last().copied().unwrap_or(0))
}

/// The highest number, like [`last`]. A caller that knew an earlier one spares itself the listing.
pub(super) fn head(dir: &Path, known: u64, expected: &'static str) -> Result<u64, StoreError> {
    let exists = |seq| {
        let path = path(dir, seq);
        path.try_exists().map_err(failed("looking for", &path))
    };
    if known == 0 || !exists(known)? {
        return last(dir, expected);
    }
    let mut head = known;
    while exists(head + 1)? {
        head += 1;
    }
    Ok(head)
}

/// One entry, whose number `seq_of` finds within it.
pub(super) fn read<T: DeserializeOwned>(dir: &Path, seq: u64, seq_of: fn(&T) -> u64) -> Result<T, StoreError> {
    let path = path(dir, seq);
    let damaged = |problem: &str| StoreError::Damaged { path: path.clone(), problem: problem.into() };
    let found: T = read_json(&path)?.ok_or_else(|| damaged("it is missing"))?;
    if seq_of(&found) == seq { Ok(found) } else { Err(damaged("it holds another number")) }
}

/// Adds an entry that nobody can have made before, durably; false if somebody was quicker. The folder is made where it
/// is missing; until it is added, the entry lies in `drafts`, where gc sweeps what a crash leaves.
pub(super) fn add<T: Serialize>(dir: &Path, seq: u64, entry: &T, drafts: &Path) -> Result<bool, StoreError> {
    let private = unique_path(drafts, "entry");
    let added = write_json(&private, entry).and_then(|()| link(&private, dir, seq));
    // One that stays is swept by gc.
    let _ = std::fs::remove_file(&private);
    added
}

fn link(private: &Path, dir: &Path, seq: u64) -> Result<bool, StoreError> {
    make(dir)?;
    let path = path(dir, seq);
    match std::fs::hard_link(private, &path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        linked => linked.map_err(failed("making the file", &path))?,
    }
    sync_dir(dir).map(|()| true)
}

fn make(dir: &Path) -> Result<(), StoreError> {
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(failed("making the folder", dir)).and_then(|()| dir.parent().map_or(Ok(()), sync_dir)),
    }
}
