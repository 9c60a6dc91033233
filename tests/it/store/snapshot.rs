//! Tables opened by other programs than the server.

use segue::ids::VersionId;
use segue::lookup::{ClusterSet, LookupError, Query, Scratch};
use segue::store::StoreError;

use super::fixture::*;
use super::live::mapped;

#[test]
fn a_snapshot_is_what_the_channel_was_whatever_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    publish(&store, "main", add(&store, 1));
    let snapshot = store.snapshot("main").unwrap();
    assert_eq!((snapshot.channel.as_str(), snapshot.version, mapped(dir.path())), ("main", VersionId(1), 1));

    publish(&store, "main", add(&store, 2));
    std::fs::OpenOptions::new().write(true).open(store.table_path(VersionId(1))).unwrap().set_len(0).unwrap();
    let mut scratch = Scratch::default();
    let query = Query { history: &KEY, limit: 1, exclude: &[] };
    assert_eq!(snapshot.lookup(query, &mut scratch).unwrap().predictions[0].cluster, predicted(1));
    let next = store.snapshot("main").unwrap();
    assert_eq!(next.lookup(query, &mut scratch).unwrap().predictions[0].cluster, predicted(2));
    let wide = Query { limit: 9, ..query };
    assert_eq!(next.lookup(wide, &mut scratch).unwrap_err(), LookupError::Limit { limit: 9, width: 8 });

    drop((snapshot, next));
    assert_eq!(mapped(dir.path()), 0);
    assert!(listing(&dir.path().join("drafts")).is_empty());
}

#[test]
fn a_snapshot_obeys_the_blocklist() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    publish(&store, "main", add(&store, 1));
    store.set_blocklist("main", [predicted(1)].into(), &note("rude")).unwrap();
    let snapshot = store.snapshot("main").unwrap();
    let mut scratch = Scratch::default();
    let query = Query { history: &KEY, limit: 1, exclude: &[] };
    assert!(snapshot.lookup(query, &mut scratch).unwrap().predictions.is_empty());
    assert_eq!(answer(&store.load(VersionId(1)).unwrap(), &ClusterSet::default()), [predicted(1)]);
}

#[test]
fn what_is_not_there_or_not_whole_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let version = add(&store, 1);
    assert!(matches!(store.snapshot("main"), Err(StoreError::NoChannel { name }) if name == "main"));
    assert!(matches!(store.snapshot("../up"), Err(StoreError::ChannelName { .. })));
    assert!(matches!(store.load(VersionId(9)), Err(StoreError::NoVersion { .. })));
    publish(&store, "main", version);
    let path = store.table_path(version);
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    for error in [store.snapshot("main").unwrap_err(), store.load(version).unwrap_err()] {
        assert!(matches!(&error, StoreError::Table { path: told, .. } if *told == path), "{error}");
    }
}
