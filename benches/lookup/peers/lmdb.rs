//! LMDB, by way of heed.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use heed::byteorder::NativeEndian;
use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, IntegerComparator, PutFlags, RoTxn, WithTls};

use super::{Peer, for_each, made};
use crate::keys::KeySet;

/// Keys are integers to LMDB too, which saves it a comparison byte by byte.
type Rows<'e> = Database<'e, U64<NativeEndian>, Bytes, IntegerComparator>;

/// One read transaction for all gets, which give slices of the map.
pub(crate) struct Lmdb<'e> {
    rows: Rows<'e>,
    transaction: RoTxn<'e, WithTls>,
}

impl Peer for Lmdb<'_> {
    #[inline]
    fn get<R>(&self, key: u64, take: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.rows.get(&self.transaction, &key).unwrap().map(take)
    }
}

/// Appends in order of keys, which fills every page; then maps it and reads it once.
pub(crate) fn with_lmdb<R>(dir: &Path, keys: &KeySet, take: impl FnOnce(Lmdb<'_>) -> R) -> R {
    let path = prepare(dir, keys);
    let env = open(&path, keys);
    let rows = rows(&env);
    let lmdb = Lmdb { rows, transaction: env.read_txn().unwrap() };
    let read = rows.iter(&lmdb.transaction).unwrap().map(|row| u64::from(row.unwrap().1[0] > 0) | 1).sum::<u64>();
    assert_eq!(read, keys.total(), "{} holds other keys: remove it", path.display());
    take(lmdb)
}

pub(super) fn prepare(dir: &Path, keys: &KeySet) -> PathBuf {
    made(dir.join("lmdb"), |part| fill(part, keys))
}

fn open(path: &Path, keys: &KeySet) -> Env {
    std::fs::create_dir_all(path).unwrap();
    let most = (1 << 20) + 128 * keys.total() as usize;
    // SAFETY: the file must not be written to but by LMDB, and nobody else has a reason to.
    unsafe { EnvOpenOptions::new().map_size(most.next_multiple_of(1 << 16)).open(path) }.unwrap()
}

fn rows(env: &Env) -> Rows<'_> {
    let begun = env.write_txn().unwrap();
    let made = env.create_databases_and_commit(begun, |opener, begun| {
        let options = opener.database_options().types().key_comparator();
        options.create(begun).map(CommitOrAbort::<Rows<'_>, ()>::Commit)
    });
    made.unwrap().unwrap_commit()
}

fn fill(path: &Path, keys: &KeySet) {
    const ROWS_A_COMMIT: u64 = 1 << 20;
    let env = open(path, keys);
    let rows = rows(&env);
    let mut writing = Some(env.write_txn().unwrap());
    let mut count = 0;
    for_each(keys, |key, value| {
        let transaction = writing.get_or_insert_with(|| env.write_txn().unwrap());
        rows.put_with_flags(transaction, PutFlags::APPEND, &key, &value).unwrap();
        count += 1;
        if count % ROWS_A_COMMIT == 0 {
            writing.take().into_iter().for_each(|full| full.commit().unwrap());
        }
    });
    writing.into_iter().for_each(|rest| rest.commit().unwrap());
}
