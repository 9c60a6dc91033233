//! Channels: moves, their history, and publishers who meet.

use std::collections::BTreeSet;

use segue::ids::{ClusterId, VersionId};
use segue::store::{Action, MAX_NOTE, Note, Provenance, Store, StoreError, TaxonomyChange};

use super::fixture::*;

fn with_versions(dir: &std::path::Path, count: u32) -> (Store, Vec<VersionId>) {
    let store = open(dir);
    let versions = (0..count).map(|marker| add(&store, marker)).collect();
    (store, versions)
}

fn blocklist(ids: &[u32]) -> BTreeSet<ClusterId> {
    ids.iter().copied().map(ClusterId).collect()
}

#[test]
fn every_move_is_kept_with_who_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 2);
    assert_eq!(store.channel("main").unwrap(), None);
    assert!(store.channels().unwrap().is_empty());

    let ada = |why: &str| Note { who: "ada".into(), why: why.into() };
    store.publish("main", v[0], &ada("first"), TaxonomyChange::Refused).unwrap();
    store.set_blocklist("main", blocklist(&[7]), &ada("rude")).unwrap();
    store.publish("main", v[1], &ada("second"), TaxonomyChange::Refused).unwrap();
    let told = store.rollback("main", None, &ada("worse")).unwrap();
    publish(&store, "control", v[1]);

    let channel = store.channel("main").unwrap().unwrap();
    assert_eq!(channel, told);
    assert_eq!((channel.version, &channel.blocklist), (v[0], &blocklist(&[7])));
    let moves: Vec<_> = channel.moves.iter().map(|m| (m.seq, m.action, m.version, m.why.as_str())).collect();
    assert_eq!(
        moves,
        [
            (4, Action::Rollback, v[0], "worse"),
            (3, Action::Publish, v[1], "second"),
            (2, Action::Blocklist, v[0], "rude"),
            (1, Action::Publish, v[0], "first"),
        ]
    );
    assert!(channel.moves.iter().all(|m| m.who == "ada" && m.at <= chrono::Utc::now()));
    assert!(channel.moves.windows(2).all(|pair| pair[0].at >= pair[1].at));
    assert!(channel.moves[3].blocklist.is_empty());
    assert_eq!(store.channels().unwrap(), ["control", "main"]);
    assert_eq!(listing(&dir.path().join("channels/main")), ["1.json", "2.json", "3.json", "4.json"]);
}

#[test]
fn rollbacks_walk_back_through_what_was_published() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 4);
    let back = |to| store.rollback("main", to, &note("back")).map(|channel| channel.version);
    let empty = back(None).unwrap_err();
    assert!(matches!(empty, StoreError::NoChannel { .. }), "{empty}");

    for version in [v[0], v[1], v[1], v[0], v[2]] {
        publish(&store, "main", version);
    }
    assert_eq!(back(None).unwrap(), v[0]);
    store.set_blocklist("main", blocklist(&[3]), &note("between")).unwrap();
    assert_eq!(back(None).unwrap(), v[1]);
    assert_eq!(back(None).unwrap(), v[0]);
    let nothing = back(None).unwrap_err();
    assert!(matches!(nothing, StoreError::NothingBefore { version, .. } if version == v[0]), "{nothing}");

    // Forward again to where it was, and back from there.
    assert_eq!(back(Some(v[2])).unwrap(), v[2]);
    assert_eq!(back(None).unwrap(), v[0]);
    let never = back(Some(v[3])).unwrap_err();
    assert!(matches!(never, StoreError::NeverThere { .. }), "{never}");
    assert_eq!(store.channel("main").unwrap().unwrap().blocklist, blocklist(&[3]));
}

#[test]
fn a_rollback_with_a_target_forgets_what_was_above_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 4);
    v.iter().for_each(|&version| drop(publish(&store, "main", version)));
    let back = |to| store.rollback("main", to, &note("back")).map(|channel| channel.version);
    assert_eq!(back(Some(v[1])).unwrap(), v[1]);
    assert_eq!(back(None).unwrap(), v[0]);
    assert!(back(None).is_err());
}

#[test]
fn a_version_that_does_not_open_is_not_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 3);
    publish(&store, "main", v[0]);
    publish(&store, "main", v[1]);
    let refused = |result: Result<_, StoreError>, expected: &str| {
        let error = result.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    std::fs::OpenOptions::new().write(true).open(store.table_path(v[0])).unwrap().set_len(100).unwrap();
    refused(store.rollback("main", None, &note("torn")), store.table_path(v[0]).to_str().unwrap());
    std::fs::copy(store.table_path(v[1]), store.table_path(v[2])).unwrap();
    refused(store.publish("main", v[2], &note("exchanged"), TaxonomyChange::Refused), "it was exchanged");
    refused(store.publish("main", VersionId(99), &note("none"), TaxonomyChange::Allowed), "no version v99");
    refused(store.publish("new", VersionId(99), &note("none"), TaxonomyChange::Refused), "no version v99");
    assert_eq!(store.channel("main").unwrap().unwrap().moves.len(), 2);
    assert_eq!(store.channels().unwrap(), ["main"]);
}

#[test]
fn another_taxonomy_needs_to_be_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 1);
    publish(&store, "main", v[0]);
    let mut draft = store.draft().unwrap();
    build(draft.table(), "renamed", 1);
    draft.judge(&passed()).unwrap();
    let other = store.add(draft, Provenance::default()).unwrap();

    let error = store.publish("main", other.version, &note("?"), TaxonomyChange::Refused).unwrap_err().to_string();
    let hashes = [store.manifest(v[0]).unwrap().taxonomy_hash, other.taxonomy_hash].map(|hash| hash.to_string());
    assert!(hashes.iter().all(|hash| error.contains(hash)), "{error}");
    let channel = store.publish("main", other.version, &note("meant"), TaxonomyChange::Allowed).unwrap();
    assert_eq!(channel.version, other.version);
    assert_eq!(store.rollback("main", None, &note("back")).unwrap().version, v[0]);
}

#[test]
fn names_and_notes_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 1);
    let long = "a".repeat(65);
    for name in ["", ".", "..", "../main", "a/b", "Main", "a b", "a.b", "a\0", "ä", long.as_str()] {
        let published = store.publish(name, v[0], &note("x"), TaxonomyChange::Refused);
        assert!(matches!(published, Err(StoreError::ChannelName { .. })), "{name:?}");
        assert!(matches!(store.channel(name), Err(StoreError::ChannelName { .. })), "{name:?}");
    }
    publish(&store, &"a".repeat(64), v[0]);
    publish(&store, "a_b-9", v[0]);

    let wordy = |len| Note { who: "x".into(), why: "y".repeat(len) };
    let error = store.publish("main", v[0], &wordy(MAX_NOTE + 1), TaxonomyChange::Refused).unwrap_err();
    assert!(matches!(error, StoreError::NoteTooLong { field: "why", len: 4097, max: 4096 }), "{error}");
    store.publish("main", v[0], &wordy(MAX_NOTE), TaxonomyChange::Refused).unwrap();
}

#[test]
fn a_damaged_history_is_named_and_not_built_upon() {
    let dir = tempfile::tempdir().unwrap();
    let (store, v) = with_versions(dir.path(), 2);
    publish(&store, "main", v[0]);
    publish(&store, "main", v[1]);
    let file = |name: &str| dir.path().join("channels/main").join(name);
    let good = std::fs::read(file("1.json")).unwrap();
    let refused = |path: std::path::PathBuf| {
        for error in [
            store.channel("main").unwrap_err(),
            store.rollback("main", None, &note("x")).unwrap_err(),
            store.publish("main", v[0], &note("x"), TaxonomyChange::Refused).unwrap_err(),
            store.gc(false).unwrap_err(),
        ] {
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    };
    std::fs::write(file("1.json"), &good[..good.len() / 2]).unwrap();
    refused(file("1.json"));
    std::fs::copy(file("2.json"), file("1.json")).unwrap();
    refused(file("1.json"));
    std::fs::remove_file(file("1.json")).unwrap();
    refused(file("1.json"));
    std::fs::write(file("1.json"), &good).unwrap();
    std::fs::write(file("3.json~"), &good).unwrap();
    refused(file("3.json~"));
    std::fs::remove_file(file("3.json~")).unwrap();
    assert_eq!(store.rollback("main", None, &note("whole again")).unwrap().version, v[0]);
}

#[test]
fn publishers_who_meet_lose_no_move_and_share_no_number() {
    const THREADS: u32 = 8;
    const EACH: u32 = 4;
    let dir = tempfile::tempdir().unwrap();
    let publisher = |thread: u32| {
        let store = open_keeping(dir.path(), 100);
        let one = |round| {
            let marker = thread * EACH + round;
            let version = add(&store, marker);
            let why = format!("marker {marker}");
            store.publish("main", version, &note(&why), TaxonomyChange::Refused).unwrap();
            store.set_blocklist("main", blocklist(&[marker]), &note(&why)).unwrap();
            store.gc(false).unwrap();
            (version, why)
        };
        (0..EACH).map(one).collect::<Vec<_>>()
    };
    let mut published: Vec<(VersionId, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || publisher(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    published.sort();

    let numbers: Vec<u64> = published.iter().map(|(version, _)| version.0).collect();
    assert_eq!(numbers, (1..=u64::from(THREADS * EACH)).collect::<Vec<_>>());
    let moves = open(dir.path()).channel("main").unwrap().unwrap().moves;
    let of = |action| {
        let of = moves.iter().filter(move |m| m.action == action);
        of.map(|m| m.why.clone()).collect::<BTreeSet<_>>()
    };
    let asked: BTreeSet<String> = published.iter().map(|(_, why)| why.clone()).collect();
    assert_eq!((of(Action::Publish), of(Action::Blocklist)), (asked.clone(), asked));
    assert_eq!(moves.len() as u32, 2 * THREADS * EACH);
    let pairs = moves.iter().filter(|m| m.action == Action::Publish).map(|m| (m.version, m.why.clone()));
    assert!(pairs.clone().all(|pair| published.contains(&pair)), "{:?}", pairs.collect::<Vec<_>>());
}
