//! redb.

use std::path::{Path, PathBuf};

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use super::{Peer, for_each, made};
use crate::keys::{KeySet, VALUE};

const ROWS: TableDefinition<'_, u64, &[u8; VALUE]> = TableDefinition::new("rows");
/// It keeps pages in memory of its own: enough for all of them.
const CACHE: usize = 7 << 30;

pub(crate) struct Redb {
    rows: ReadOnlyTable<u64, &'static [u8; VALUE]>,
    /// Must outlive its tables.
    _database: Database,
}

impl Redb {
    /// Inserts in order of keys; then opens it anew and reads it once.
    pub(crate) fn open(dir: &Path, keys: &KeySet) -> Self {
        let path = prepare(dir, keys);
        let database = Database::builder().set_cache_size(CACHE).open(&path).unwrap();
        let rows = database.begin_read().unwrap().open_table(ROWS).unwrap();
        assert_eq!(rows.len().unwrap(), keys.total(), "{} holds other keys: remove it", path.display());
        for_each(keys, |key, value| assert!(rows.get(key).unwrap().is_some_and(|found| *found.value() == value)));
        Self { rows, _database: database }
    }
}

impl Peer for Redb {
    #[inline]
    fn get<R>(&self, key: u64, take: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.rows.get(key).unwrap().map(|guard| take(guard.value()))
    }
}

pub(super) fn prepare(dir: &Path, keys: &KeySet) -> PathBuf {
    made(dir.join("rows.redb"), |part| fill(part, keys))
}

fn fill(path: &Path, keys: &KeySet) {
    const ROWS_A_COMMIT: usize = 1 << 22;
    let database = Database::builder().set_cache_size(1 << 30).create(path).unwrap();
    let mut batch = Vec::with_capacity(ROWS_A_COMMIT.min(keys.total() as usize));
    for_each(keys, |key, value| {
        batch.push((key, value));
        if batch.len() == ROWS_A_COMMIT {
            insert(&database, &mut batch);
        }
    });
    insert(&database, &mut batch);
}

fn insert(database: &Database, batch: &mut Vec<(u64, [u8; VALUE])>) {
    let writing = database.begin_write().unwrap();
    {
        let mut rows = writing.open_table(ROWS).unwrap();
        batch.drain(..).for_each(|(key, value)| drop(rows.insert(key, &value).unwrap()));
    }
    writing.commit().unwrap();
}
