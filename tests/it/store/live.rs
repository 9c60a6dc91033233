//! The live swap, and everything that may happen to files under it.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use segue::ids::VersionId;
use segue::lookup::ClusterSet;
use segue::store::Store;
use segue::store::live::{Live, LiveConfig, ReloadReport, Residence, Watcher};

use super::fixture::*;

/// A store, and a watcher whose private copies lie in a folder of their own, so that its maps can be counted.
struct Served {
    dir: tempfile::TempDir,
    store: Store,
    watcher: Watcher,
    live: Live,
}

impl Served {
    fn start(prepare: impl FnOnce(&Store)) -> Self {
        Self::with(LiveConfig::default(), prepare)
    }

    fn with(config: LiveConfig, prepare: impl FnOnce(&Store)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("store"));
        prepare(&store);
        let config = LiveConfig { cache: Some(dir.path().join("cache")), ..config };
        let (watcher, live) = Watcher::start(store.clone(), config).unwrap();
        Self { dir, store, watcher, live }
    }

    fn reload(&self) -> ReloadReport {
        self.watcher.reloader().blocking_reload()
    }

    fn publish(&self, marker: u32) -> VersionId {
        let version = add(&self.store, marker);
        publish(&self.store, "main", version);
        version
    }

    fn version(&self) -> Option<VersionId> {
        self.live.load().get("main").map(|snapshot| snapshot.version)
    }

    fn answers(&self, marker: u32) -> bool {
        let channels = self.live.load();
        let snapshot = channels.get("main").unwrap();
        snapshot.table.verify().unwrap();
        answer(&snapshot.table, &snapshot.blocklist) == [predicted(marker)]
    }

    fn mapped(&self) -> usize {
        mapped(self.dir.path())
    }
}

/// Maps of files under `dir`, which nobody but a watcher makes.
pub(super) fn mapped(dir: &Path) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains(dir.to_str().unwrap())).count()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_published_is_seen_answered_from_and_retired() {
    let served = Served::start(|_| ());
    assert_eq!(served.reload(), ReloadReport::default());
    assert!(served.live.load().is_empty() && !*served.watcher.ready().borrow());
    let one = served.publish(1);
    eventually("the first table", || *served.watcher.ready().borrow());
    assert!(served.answers(1) && served.version() == Some(one));

    let held = served.live.load();
    let two = served.publish(2);
    eventually("the second", || served.version() == Some(two));
    assert!(served.answers(2));
    // A request that began before keeps what it has.
    assert_eq!(answer(&held.get("main").unwrap().table, &ClusterSet::default()), [predicted(1)]);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(served.mapped(), 2);
    drop(held);
    eventually("the first retired", || served.mapped() == 1);
}

#[test]
fn what_another_process_publishes_is_seen_within_a_second() {
    let served = Served::start(|_| ());
    served.reload();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "store::live::publish_once_child", "--ignored", "--test-threads=1"]);
    let output = child.env(CHILD_STORE, served.store.path()).output().unwrap();
    let began = Instant::now();
    assert!(output.status.success(), "{output:?}");
    eventually("the other's version", || served.version() == Some(VersionId(1)));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(served.answers(7));
}

#[test]
#[ignore = "started by another test, as a process of its own"]
fn publish_once_child() {
    let Some(dir) = std::env::var_os(CHILD_STORE) else { return };
    let store = open(Path::new(&dir));
    publish(&store, "main", add(&store, 7));
}

#[test]
fn channels_at_one_version_share_its_table() {
    let served = Served::start(|store| {
        let version = add(store, 1);
        publish(store, "main", version);
        publish(store, "control", version);
    });
    assert_eq!(served.reload(), ReloadReport::default());
    let channels = served.live.load();
    let names: Vec<_> = channels.iter().map(|snapshot| snapshot.channel.as_str()).collect();
    assert_eq!(names, ["control", "main"]);
    assert!(std::ptr::eq(&*channels.get("main").unwrap().table, &*channels.get("control").unwrap().table));
    assert_eq!(served.mapped(), 1);
}

#[test]
fn a_blocklist_is_obeyed_at_once_without_another_table() {
    let served = Served::start(|store| drop(publish(store, "main", add(store, 1))));
    served.reload();
    let before = served.live.load();
    let blocked = [predicted(1), segue::ids::ClusterId(9999)].into();
    served.store.set_blocklist("main", blocked, &note("rude")).unwrap();
    let began = Instant::now();
    eventually("the blocklist", || !served.answers(1));
    assert!(began.elapsed() < Duration::from_secs(1));
    let after = served.live.load();
    let [before, after] = [&before, &after].map(|channels| channels.get("main").unwrap());
    assert!(std::ptr::eq(&*before.table, &*after.table));
    assert_eq!((before.blocked.len(), after.blocked.len(), served.mapped()), (0, 2, 1));
}

/// Done to a table's path.
type Harm = fn(&Path);

#[test]
fn nothing_done_to_files_from_outside_changes_an_answer() {
    let harm: [(&str, Harm); 5] = [
        ("truncate", |path| std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap()),
        ("overwrite", |path| {
            let len = std::fs::metadata(path).unwrap().len() as usize;
            let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(&vec![0xa5; len]).unwrap();
        }),
        ("delete", |path| std::fs::remove_file(path).unwrap()),
        ("half a copy", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("a pipe", |path| {
            std::fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
    ];
    for (name, harm) in harm {
        let served = Served::start(|store| drop(publish(store, "main", add(store, 1))));
        served.reload();
        harm(&served.store.table_path(VersionId(1)));
        assert!(served.answers(1), "{name}");
        assert_eq!(served.reload(), ReloadReport::default(), "{name}");
        // A newcomer refuses what is left of it, and takes the next.
        let (newcomer, live) = Watcher::start(served.store.clone(), LiveConfig::default()).unwrap();
        let newcomer =
            Served { dir: tempfile::tempdir().unwrap(), store: served.store.clone(), watcher: newcomer, live };
        let refused = newcomer.reload().refused;
        let path = served.store.table_path(VersionId(1));
        assert!(refused.len() == 1 && refused[0].contains(path.to_str().unwrap()), "{name}: {refused:?}");
        assert!(newcomer.live.load().is_empty());
        served.publish(2);
        for served in [&served, &newcomer] {
            assert_eq!(served.reload(), ReloadReport::default(), "{name}");
            assert!(served.answers(2), "{name}");
        }
    }
}

#[test]
fn a_refused_version_leaves_the_live_one_but_for_the_blocklist() {
    // It looks only when it is told to, so the file is spoiled between publishing and loading.
    let config = LiveConfig { poll: Duration::from_secs(3600), ..LiveConfig::default() };
    let served = Served::with(config, |store| drop(publish(store, "main", add(store, 1))));
    served.reload();
    let two = served.publish(2);
    let path = served.store.table_path(two);
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, &good[..100]).unwrap();
    served.store.set_blocklist("main", [predicted(1)].into(), &note("rude")).unwrap();
    for _ in 0..2 {
        let refused = served.reload().refused;
        assert!(refused.len() == 1 && refused[0].starts_with("v2: ") && refused[0].contains(path.to_str().unwrap()));
        assert!(served.version() == Some(VersionId(1)) && !served.answers(1));
    }
    std::fs::write(&path, &good).unwrap();
    assert_eq!(served.reload(), ReloadReport::default());
    assert!(served.answers(2));
}

#[test]
fn a_refused_version_is_tried_again_by_itself() {
    let served = Served::start(|store| {
        let version = add(store, 1);
        publish(store, "main", version);
        std::fs::rename(store.table_path(version), store.path().join("aside")).unwrap();
    });
    assert_eq!(served.reload().refused.len(), 1);
    std::fs::rename(served.store.path().join("aside"), served.store.table_path(VersionId(1))).unwrap();
    eventually("another try", || !served.live.load().is_empty());
}

#[test]
fn a_store_that_vanishes_is_told_of_and_served_on() {
    let served = Served::start(|store| drop(publish(store, "main", add(store, 1))));
    served.reload();
    let away = served.dir.path().join("away");
    std::fs::rename(served.store.path(), &away).unwrap();
    let refused = served.reload().refused;
    assert!(refused.iter().any(|reason| reason.contains(served.store.path().to_str().unwrap())), "{refused:?}");
    assert!(served.answers(1));
    std::fs::rename(&away, served.store.path()).unwrap();
    served.publish(2);
    assert_eq!(served.reload(), ReloadReport::default());
    assert!(served.answers(2));
}

#[test]
fn a_damaged_move_is_told_of_and_the_live_one_stays() {
    let served = Served::start(|store| drop(publish(store, "main", add(store, 1))));
    served.reload();
    let path = served.store.path().join("channels/main/2.json");
    std::fs::write(&path, "{").unwrap();
    let refused = served.reload().refused;
    assert!(refused.len() == 1 && refused[0].contains(path.to_str().unwrap()), "{refused:?}");
    assert!(served.answers(1) && *served.watcher.ready().borrow());
    std::fs::remove_file(path).unwrap();
    served.publish(2);
    assert_eq!(served.reload(), ReloadReport::default());
    assert!(served.answers(2));
}

#[test]
fn the_last_reference_goes_with_the_retirer_even_after_the_watcher() {
    let served = Served::start(|store| drop(publish(store, "main", add(store, 1))));
    served.reload();
    let Served { dir, watcher, live, .. } = served;
    let reloader = watcher.reloader();
    drop(watcher);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    eventually("the watcher's end", || !runtime.block_on(reloader.reload()).refused.is_empty());
    let held = live.load();
    drop(live);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(answer(&held.get("main").unwrap().table, &ClusterSet::default()), [predicted(1)]);
    assert_eq!(mapped(dir.path()), 1);
    drop(held);
    eventually("its release", || mapped(dir.path()) == 0);
}

#[test]
fn a_locked_table_is_locked() {
    let config = LiveConfig { residence: Residence::Locked, ..LiveConfig::default() };
    let served = Served::with(config, |store| drop(publish(store, "main", add(store, 1))));
    let refused = served.reload().refused;
    assert!(refused.is_empty(), "a few KiB must be lockable: {refused:?}");
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let ours = smaps.split_once(served.dir.path().to_str().unwrap()).unwrap().1;
    let flags = ours.lines().find(|line| line.starts_with("VmFlags:")).unwrap();
    assert!(flags.split(' ').any(|flag| flag == "lo"), "{flags}");
    served.publish(2);
    served.reload();
    eventually("release of a locked table", || served.mapped() == 1);
}

#[test]
fn a_swap_storm_never_mixes_versions() {
    const TABLES: u32 = 6;
    let served = Served::start(|_| ());
    let markers: HashMap<VersionId, u32> = (0..TABLES).map(|marker| (add(&served.store, marker), marker)).collect();
    publish(&served.store, "main", VersionId(1));
    served.reload();
    let (done, answers, mixed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    let read = || {
        // Should the publisher fail, the readers are not to wait for it.
        while !done.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(120) {
            let channels = served.live.load();
            let snapshot = channels.get("main").unwrap();
            let found = answer(&snapshot.table, &snapshot.blocklist);
            if found != [predicted(markers[&snapshot.version])] {
                mixed.fetch_add(1, Ordering::Relaxed);
            }
            answers.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        (0..3).for_each(|_| drop(scope.spawn(read)));
        for round in 0..40 {
            let version = VersionId(1 + (round * 5 + 1) % u64::from(TABLES));
            publish(&served.store, "main", version);
            assert_eq!(served.reload(), ReloadReport::default());
            assert_eq!(served.version(), Some(version));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(mixed.into_inner(), 0);
    assert!(answers.into_inner() > 1000);
    eventually("all but one retired", || served.mapped() == 1);
}
