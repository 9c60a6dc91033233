//! Whatever a crash leaves behind, the store goes on.
//!
//! Every step of the store writes whole files under names that nothing reads, and then makes them visible by one
//! rename or hard link. So all that a crash can leave is what stands in [`leftovers`].

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use segue::ids::VersionId;
use segue::store::{ExperimentAction, NewExperimentChange, Note, Store, StoreError, TaxonomyChange};
use segue::table::Table;

use super::fixture::*;

/// Makes a leftover in the store.
type Way = fn(&Path);

const CHANGE: &str = r#"{"seq": 1, "action": "set", "experiment": "rag", "settings": {}, "who": "", "why": "",
    "at": "2026-03-01T00:00:00Z"}"#;

/// What a process that dies between two steps of `draft`, `add`, a move, a change of an experiment or `gc` leaves: each a name and the way to it,
/// from a store that holds version 1.
fn leftovers() -> Vec<(&'static str, Way)> {
    vec![
        ("a draft's folder", |root| make(root, "drafts/draft-1", &[])),
        ("an empty table", |root| make(root, "drafts/draft-2", &[("table.segue", b"")])),
        ("half a table", |root| make(root, "drafts/draft-3", &[("table.segue", b"\x89SEGUE\r\n\x01")])),
        ("a draft without a manifest", |root| copy_version(root, "drafts/draft-4", &["table.segue"])),
        ("a draft with half a manifest", |root| {
            copy_version(root, "drafts/draft-5", &["table.segue"]);
            make(root, "drafts/draft-5", &[("manifest.json", b"{\"version\":")]);
        }),
        ("a draft before its claim", |root| copy_version(root, "drafts/draft-6", &["table.segue", "manifest.json"])),
        ("a version after its claim", |root| copy_version(root, "versions/2", &["table.segue", "manifest.json"])),
        ("half a move", |root| make(root, "drafts", &[("move-1", b"{\"seq\":")])),
        ("a move before its channel's folder", |root| copy_move(root, "drafts/move-2")),
        ("a channel's folder without a move", |root| make(root, "channels/new", &[])),
        ("a move that is linked and still in drafts", |root| {
            copy_move(root, "drafts/move-3");
        }),
        ("half an experiment's change", |root| make(root, "drafts", &[("entry-1", b"{\"seq\": 1, \"action\"")])),
        ("an experiment's change before its link", |root| {
            make(root, "drafts", &[("entry-2", CHANGE.as_bytes())]);
            make(root, "experiments", &[]);
        }),
        ("a removed version", |root| copy_version(root, "drafts/removed-1", &["table.segue", "manifest.json"])),
        ("a removed version without its table", |root| copy_version(root, "drafts/removed-2", &["manifest.json"])),
        ("a private copy before it lost its name", |root| make(root, "drafts", &[("private-1", b"\x89SEG")])),
    ]
}

fn make(root: &Path, dir: &str, files: &[(&str, &[u8])]) {
    std::fs::create_dir_all(root.join(dir)).unwrap();
    files.iter().for_each(|(name, content)| std::fs::write(root.join(dir).join(name), content).unwrap());
}

fn copy_version(root: &Path, to: &str, files: &[&str]) {
    make(root, to, &[]);
    for name in files {
        std::fs::copy(root.join("versions/1").join(name), root.join(to).join(name)).unwrap();
    }
    let manifest = root.join(to).join("manifest.json");
    if to.starts_with("versions") {
        let text = std::fs::read_to_string(&manifest).unwrap().replace("\"version\": 1,", "\"version\": 2,");
        std::fs::write(manifest, text).unwrap();
    }
}

fn copy_move(root: &Path, to: &str) {
    std::fs::copy(root.join("channels/main/1.json"), root.join(to)).unwrap();
}

#[test]
fn whatever_a_crash_leaves_the_store_goes_on() {
    let all = |root: &Path| leftovers().iter().for_each(|(_, leave)| leave(root));
    let each = leftovers().into_iter().map(|(name, leave)| (name, Box::new(leave) as Box<dyn Fn(&Path)>));
    for (name, leave) in each.chain([("all of it", Box::new(all) as Box<dyn Fn(&Path)>)]) {
        let dir = tempfile::tempdir().unwrap();
        let before = open(dir.path());
        publish(&before, "main", add(&before, 1));
        leave(dir.path());
        goes_on(dir.path(), name);
    }
}

fn goes_on(dir: &Path, left: &str) {
    let store = open(dir);
    check(&store);
    assert_eq!(store.channels().unwrap(), ["main"], "{left}");
    assert_eq!(store.channel("main").unwrap().unwrap().moves.len(), 1, "{left}");
    assert!(store.experiment_changes(0).unwrap().is_empty(), "{left}");
    let before = store.versions().unwrap();
    let version = add(&store, 2);
    assert!(before.iter().all(|&older| older < version), "{left}");
    publish(&store, "main", version);
    publish(&store, "new", version);
    assert_eq!(store.rollback("main", None, &note("back")).unwrap().version, VersionId(1), "{left}");
    let (action, experiment, settings) = (ExperimentAction::Set, "rag".to_owned(), serde_json::json!({}));
    let change = NewExperimentChange { action, experiment, settings };
    store.change_experiments(&note("on"), |_| Ok::<_, StoreError>(change.clone())).unwrap();
    assert_eq!(store.experiment_changes(0).unwrap().len(), 1, "{left}");
    store.gc(false).unwrap();
    assert!(listing(&dir.join("drafts")).is_empty(), "{left}");
    assert!(before.iter().all(|version| store.versions().unwrap().contains(version)), "{left}");
    check(&store);
}

/// Every version is whole, and every channel leads to one.
fn check(store: &Store) {
    let versions = store.versions().unwrap();
    for &version in &versions {
        let manifest = store.manifest(version).unwrap();
        let table = Table::open(std::fs::read(store.table_path(version)).unwrap()).unwrap();
        table.verify().unwrap();
        assert_eq!(format!("{:016x}", table.checksum()), manifest.checksum);
    }
    for name in store.channels().unwrap() {
        let channel = store.channel(&name).unwrap().unwrap();
        assert!(channel.moves.iter().all(|step| versions.contains(&step.version)));
    }
}

/// Not a test: what [`a_killed_publisher_loses_nothing_that_it_told_of`] starts and kills.
#[test]
#[ignore = "started by another test, as a process of its own"]
fn publisher_child() {
    let Some(dir) = std::env::var_os(CHILD_STORE) else { return };
    let store = open_keeping(Path::new(&dir), 1000);
    let who = format!("process {}", std::process::id());
    for round in 0.. {
        let version = add(&store, round);
        println!("added {version}");
        let why = Note { who: who.clone(), why: format!("{round}") };
        store.publish("main", version, &why, TaxonomyChange::Refused).unwrap();
        println!("published {version}");
        store.set_blocklist("main", [predicted(round)].into(), &why).unwrap();
        store.gc(false).unwrap();
    }
}

fn start_publisher(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "store::crash::publisher_child", "--ignored", "--nocapture", "--test-threads=1"]);
    child.env(CHILD_STORE, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_killed_publisher_loses_nothing_that_it_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (mut added, mut published) = (Vec::new(), Vec::new());
    for round in 0..20u64 {
        // Two at once, killed at moments that wander over all their steps.
        let mut children = [start_publisher(dir.path()), start_publisher(dir.path())];
        std::thread::sleep(Duration::from_millis(60 + 13 * round));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
            for line in BufReader::new(child.stdout.take().unwrap()).lines() {
                let line = line.unwrap();
                // The test harness leaves its own words on the first line.
                let Some((_, version)) = line.split_once("added ").or_else(|| line.split_once("published ")) else {
                    continue;
                };
                let list = if line.contains("added ") { &mut added } else { &mut published };
                list.push(version.parse::<VersionId>().unwrap());
            }
        }
        check(&open(dir.path()));
    }
    let store = open(dir.path());
    let distinct: BTreeSet<VersionId> = added.iter().copied().collect();
    assert!(distinct.len() > 20, "the publishers were too slow to be killed at work: {added:?}");
    assert_eq!(distinct.len(), added.len(), "a number was used twice");
    let versions = store.versions().unwrap();
    assert!(distinct.iter().all(|version| versions.contains(version)));
    let moves = store.channel("main").unwrap().unwrap().moves;
    assert!(published.iter().all(|version| moves.iter().any(|step| step.version == *version)));
    store.gc(false).unwrap();
    assert!(listing(&dir.path().join("drafts")).is_empty());
    publish(&store, "main", add(&store, 0));
}
