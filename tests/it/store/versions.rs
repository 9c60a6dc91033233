//! Versions: numbers, manifests, what is refused, and what gc keeps.

use std::io::{Seek, Write};

use segue::ids::VersionId;
use segue::store::{Config, Provenance, Store, StoreError};
use segue::table::Table;

use super::fixture::*;

#[test]
fn versions_count_up_and_say_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [one, two] = [add(&store, 1), add(&store, 2)];
    assert_eq!((one, two), (VersionId(1), VersionId(2)));
    assert_eq!(store.versions().unwrap(), [two, one]);

    let manifest = store.manifest(two).unwrap();
    let bytes = std::fs::read(store.table_path(two)).unwrap();
    let table = Table::open(bytes.as_slice()).unwrap();
    assert_eq!((manifest.version, manifest.k, manifest.width), (two, 2, 8));
    assert_eq!(manifest.keys, [1, 1]);
    assert_eq!(manifest.table_bytes, bytes.len() as u64);
    assert_eq!(manifest.checksum, format!("{:016x}", table.checksum()));
    assert_eq!(manifest.taxonomy_hash, table.taxonomy().hash());
    assert_eq!(manifest.lineage.predictor, "retrieved");
    assert_eq!((manifest.creator.as_str(), manifest.reason.as_str()), ("tester", "marker 2"));
    assert!(listing(&dir.path().join("drafts")).is_empty());
}

#[test]
fn files_beside_the_table_become_part_of_the_version() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut draft = store.draft().unwrap();
    build(draft.table(), "c", 1);
    std::fs::write(draft.path().join("explain.txt"), "because").unwrap();
    let version = store.add(draft, Provenance::default()).unwrap().version;
    let beside = store.table_path(version).with_file_name("explain.txt");
    assert_eq!(std::fs::read_to_string(beside).unwrap(), "because");
}

#[test]
fn a_draft_is_private_and_gone_when_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut draft = store.draft().unwrap();
    build(draft.table(), "c", 1);
    assert_eq!(store.versions().unwrap(), []);
    drop(draft);
    assert!(listing(&dir.path().join("drafts")).is_empty());
}

#[test]
fn what_is_no_sound_table_gets_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = |spoil: fn(&mut std::fs::File), expected: &str| {
        let mut draft = store.draft().unwrap();
        build(draft.table(), "c", 1);
        spoil(draft.table());
        let path = draft.path().join("table.segue");
        let error = store.add(draft, Provenance::default()).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains(expected), "{error}");
    };
    refused(|file| file.set_len(0).unwrap(), "cut off");
    refused(|file| file.set_len(700).unwrap(), "cut off");
    refused(
        |file| {
            file.rewind().unwrap();
            file.write_all(b"PAR1").unwrap();
        },
        "does not start as a Segue table does",
    );
    refused(
        |file| {
            file.seek(std::io::SeekFrom::Start(64 * 4 + 8)).unwrap();
            file.write_all(&[0xff]).unwrap();
        },
        "checksum of the keys of 2",
    );
    assert_eq!(store.versions().unwrap(), []);
    assert_eq!(add(&store, 1), VersionId(1));
}

#[test]
fn what_cannot_be_a_store_is_refused() {
    let refused = |path: &str, keep: usize| {
        Store::open(&Config { path: path.into(), keep, ..Config::default() }).unwrap_err().to_string()
    };
    assert!(refused("s3://bucket/prefix", 1).contains("[store] path = `s3://bucket/prefix`: "));
    assert!(refused("", 1).contains("name a directory"));
    assert!(refused("somewhere", 0).contains("[store] keep = `0`"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let error = refused(path, 1);
    assert!(error.contains(path) && error.contains("a file lies where a folder is needed"), "{error}");
}

#[test]
fn what_does_not_belong_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let version = add(&store, 1);
    assert!(matches!(store.manifest(VersionId(9)), Err(StoreError::NoVersion { version: VersionId(9), .. })));

    for stray in ["notes.txt", "01", "+2"] {
        let path = dir.path().join("versions").join(stray);
        std::fs::write(&path, "").unwrap();
        let error = store.versions().unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(store.draft().is_ok() && try_add(&store, 2).is_err(), "{stray}");
        std::fs::remove_file(path).unwrap();
    }
    let manifest = store.table_path(version).with_file_name("manifest.json");
    for (content, expected) in [(Some("{\"version\":"), "EOF"), (Some("[]"), "invalid"), (None, "missing")] {
        content
            .map_or_else(|| std::fs::remove_file(&manifest).unwrap(), |text| std::fs::write(&manifest, text).unwrap());
        let error = store.manifest(version).unwrap_err().to_string();
        assert!(error.contains(manifest.to_str().unwrap()) && error.contains(expected), "{error}");
    }
}

#[test]
fn gc_keeps_what_is_used_in_reach_or_new() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_keeping(dir.path(), 2);
    let versions: Vec<VersionId> = (0..12).map(|marker| add(&store, marker)).collect();
    // `main` walks 1 to 6 and `control` stays at 2: in reach of main are 5 and 4.
    versions[..6].iter().for_each(|&version| drop(publish(&store, "main", version)));
    publish(&store, "control", VersionId(2));
    let (removed, kept) = ([10, 9, 8, 7, 3, 1].map(VersionId), [12, 11, 6, 5, 4, 2].map(VersionId));

    assert_eq!(store.gc(true).unwrap(), removed);
    assert_eq!(store.versions().unwrap().len(), 12);
    assert_eq!(store.gc(false).unwrap(), removed);
    assert_eq!(store.versions().unwrap(), kept);
    assert_eq!(store.gc(false).unwrap(), []);
    assert!(listing(&dir.path().join("drafts")).is_empty());
    for version in kept {
        Table::open(std::fs::read(store.table_path(version)).unwrap()).unwrap().verify().unwrap();
    }

    store.rollback("main", None, &note("back")).unwrap();
    assert_eq!(store.rollback("main", None, &note("back")).unwrap().version, VersionId(4));
    let error = store.rollback("main", None, &note("too far")).unwrap_err();
    assert!(matches!(error, StoreError::NoVersion { version: VersionId(3), .. }), "{error}");
    assert_eq!(store.channel("main").unwrap().unwrap().version, VersionId(4));
}

#[test]
fn gc_leaves_a_living_draft_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut draft = store.draft().unwrap();
    store.gc(false).unwrap();
    build(draft.table(), "c", 1);
    store.gc(false).unwrap();
    assert_eq!(store.add(draft, Provenance::default()).unwrap().version, VersionId(1));
}

#[test]
fn a_number_that_a_channel_remembers_is_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let versions: Vec<VersionId> = (0..3).map(|marker| add(&store, marker)).collect();
    publish(&store, "main", versions[2]);
    publish(&store, "main", versions[0]);
    for version in &versions[1..] {
        std::fs::remove_dir_all(store.table_path(*version).parent().unwrap()).unwrap();
    }
    assert_eq!(store.versions().unwrap(), [VersionId(1)]);
    assert_eq!(add(&store, 4), VersionId(4));
}
