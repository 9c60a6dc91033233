//! What one would take instead of a table, each holding exactly its keys.

mod lmdb;
mod memory;
mod redb;

use std::path::{Path, PathBuf};

use crate::keys::{KeySet, VALUE};

pub(crate) use lmdb::with_lmdb;
pub(crate) use memory::{HashTable, SortedArray};
pub(crate) use redb::Redb;

/// Makes the files of those that have files.
pub(crate) fn prepare(dir: &Path, keys: &KeySet) {
    lmdb::prepare(dir, keys);
    redb::prepare(dir, keys);
}

/// Finds a key's value.
pub(crate) trait Peer {
    fn get<R>(&self, key: u64, take: impl FnOnce(&[u8]) -> R) -> Option<R>;
}

/// Hands every key to `take`, in order, with its value.
fn for_each(keys: &KeySet, mut take: impl FnMut(u64, [u8; VALUE])) {
    let mut row = Vec::new();
    for len in 1..=keys.k() {
        keys.for_each(len, |key| take(key.packed(), keys.value(&mut row, &key)));
    }
}

/// Makes `path` by `fill`, unless it is there. What is cut off leaves nothing there.
fn made(path: PathBuf, fill: impl FnOnce(&Path)) -> PathBuf {
    if !path.exists() {
        let part = path.with_extension("part");
        // Of a run that was cut off: a folder, a file, or nothing.
        let _ = std::fs::remove_dir_all(&part);
        let _ = std::fs::remove_file(&part);
        fill(&part);
        std::fs::rename(&part, &path).unwrap();
    }
    path
}
