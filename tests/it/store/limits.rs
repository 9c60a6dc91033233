//! Full disks, stores that may not be written, and what is then not lost.
//!
//! Each needs a process of its own: limits and users hold for whole processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use segue::ids::VersionId;
use segue::store::live::{LiveConfig, Residence, Watcher};
use segue::store::{Store, TaxonomyChange};

use super::fixture::*;

/// Runs one of the children below in a shell that first does `prepare`; false where that is not possible here.
fn run_child(name: &str, prepare: &str, store: &Path) -> bool {
    let child = format!("\"$0\" --exact store::limits::{name} --ignored --nocapture --test-threads=1");
    let exe = std::env::current_exe().unwrap();
    let mut shell = Command::new("unshare");
    shell.args(["-r", "-m", "sh", "-c", &format!("{{ {prepare}; }} || exit 77; {child}")]);
    let output = shell.arg(exe).env(CHILD_STORE, store).output();
    let Ok(output) = output else { return skipped(name, "there is no `unshare`") };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => assert!(text.contains("1 passed"), "{text}"),
        Some(77) => return skipped(name, "it could not be prepared here"),
        _ if text.contains("unshare:") => return skipped(name, &text),
        _ => panic!("{text}"),
    }
    true
}

fn skipped(name: &str, why: &str) -> bool {
    eprintln!("skipped: {name}: {why}");
    false
}

fn child_store() -> Option<PathBuf> {
    std::env::var_os(CHILD_STORE).map(Into::into)
}

#[test]
fn a_full_disk_is_named_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let prepare = format!("mount -t tmpfs -o size=256k tmpfs {}", dir.path().display());
    run_child("full_disk_child", &prepare, dir.path());
}

#[test]
#[ignore = "started by another test, as a process of its own"]
fn full_disk_child() {
    let Some(dir) = child_store() else { return };
    let store = open(&dir);
    let [one, two] = [add(&store, 1), add(&store, 2)];
    publish(&store, "main", one);
    let filler = dir.join("filler");
    // The system's own tool ends with an error when the disk is full, as it is meant to.
    let status = Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", filler.display())).output();
    assert!(!status.unwrap().status.success());

    let full = |error: String| assert!(error.contains("No space left") && error.contains("free some space"), "{error}");
    let mut draft = store.draft().unwrap();
    assert!(std::io::Write::write_all(draft.table(), &[1; 9000]).is_err());
    drop(draft);
    full(store.publish("main", two, &note("x"), TaxonomyChange::Refused).unwrap_err().to_string());
    full(store.set_blocklist("main", [predicted(1)].into(), &note("x")).unwrap_err().to_string());
    assert_eq!(listing(&dir.join("channels/main")), ["1.json"]);
    assert!(listing(&dir.join("drafts")).is_empty());

    std::fs::remove_file(filler).unwrap();
    assert_eq!(store.channel("main").unwrap().unwrap().version, one);
    assert_eq!(publish(&store, "main", two).version, two);
    assert_eq!(add(&store, 3), VersionId(3));
}

#[test]
fn a_limit_on_file_sizes_is_named() {
    let dir = tempfile::tempdir().unwrap();
    publish(&open(dir.path()), "main", add(&open(dir.path()), 1));
    run_child("file_size_child", "trap '' XFSZ; ulimit -f 1", dir.path());
}

#[test]
#[ignore = "started by another test, as a process of its own"]
fn file_size_child() {
    let Some(dir) = child_store() else { return };
    let error = open(&dir).publish("main", VersionId(1), &note("x"), TaxonomyChange::Refused);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("raise the limit on file sizes"), "{error}");
}

#[test]
fn a_read_only_store_is_read_and_served_but_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    publish(&store, "main", add(&store, 1));
    let path = dir.path().display();
    run_child("read_only_child", &format!("mount --bind {path} {path} && mount -o remount,bind,ro {path}"), dir.path());
    publish(&store, "main", add(&store, 2));
}

#[test]
#[ignore = "started by another test, as a process of its own"]
fn read_only_child() {
    let Some(dir) = child_store() else { return };
    let store = open(&dir);
    assert_eq!(store.channel("main").unwrap().unwrap().version, VersionId(1));
    let errors = [
        store.draft().map(drop).unwrap_err(),
        store.publish("main", VersionId(1), &note("x"), TaxonomyChange::Refused).map(drop).unwrap_err(),
        store.gc(false).map(drop).unwrap_err(),
    ];
    for error in errors.map(|error| error.to_string()) {
        assert!(error.contains(dir.to_str().unwrap()) && error.contains("mount it writable"), "{error}");
    }
    let refused = reload(&store, LiveConfig::default());
    assert!(refused.len() == 1 && refused[0].contains("choose another folder"), "{refused:?}");
    let cache = tempfile::tempdir().unwrap();
    assert!(reload(&store, LiveConfig { cache: Some(cache.path().into()), ..LiveConfig::default() }).is_empty());
}

#[test]
fn memory_that_may_not_be_locked_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    publish(&store, "main", add(&store, 1));
    // In a user namespace of its own, even root is bound by the limit.
    run_child("unlockable_child", "ulimit -l 0", dir.path());
}

#[test]
#[ignore = "started by another test, as a process of its own"]
fn unlockable_child() {
    let Some(dir) = child_store() else { return };
    let refused = reload(&open(&dir), LiveConfig { residence: Residence::Locked, ..LiveConfig::default() });
    assert!(refused.len() == 1 && refused[0].contains("RLIMIT_MEMLOCK"), "{refused:?}");
}

fn reload(store: &Store, config: LiveConfig) -> Vec<String> {
    let (watcher, _live) = Watcher::start(store.clone(), config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(watcher.reloader().reload()).refused
}
