//! Stores that cannot be written, disks that are full, and two refreshes at once.

use std::process::{Command, Stdio};
use std::sync::mpsc;

use super::harness::{Process, World, each_line, finish};
use super::server::AT_LAST;

#[test]
fn a_store_that_cannot_be_written() {
    let world = World::simulated(1);
    world.write("store", "a file");
    let parts = ["store/versions", "Not a directory", "move it away"];
    world.run(&["refresh"]).refused(&parts);
    world.run(&["serve"]).refused(&parts);
    assert_eq!(world.read("store"), "a file");
    std::fs::remove_file(world.file("store")).unwrap();

    world.refresh();
    world.add_day(1);
    let mode = |mode: &str| {
        assert!(
            Command::new("chmod").args(["-R", mode, "store"]).current_dir(world.path()).status().unwrap().success()
        );
    };
    mode("a-w");
    if std::fs::write(world.file("store/probe"), "").is_ok() {
        println!("SKIPPED: this user may write whatever the modes say");
    } else {
        world.run(&["refresh"]).refused(&["refresh.lock cannot be locked", "must be writable"]);
        world.run(&["versions", "rollback"]).refused(&["store", "give this user the right to"]);
        world.text(&["versions", "list"]);
        world.text(&["lookup", "--offline", "3"]);
    }
    mode("u+w");
}

#[test]
fn a_full_disk_leaves_the_store_as_it_was() {
    let world = World::simulated(2);
    world.refresh();
    let (before, listed) = (world.store(), world.text(&["versions", "list"]));
    world.add_day(2);
    // Blocks of 512 bytes; the signal ignored, so that the write itself fails as on a full disk.
    let ran = finish(world.shell("trap '' XFSZ; ulimit -f 8; exec $segue refresh"));
    ran.refused(&["File too large", "ulimit -f"]);
    assert_eq!((world.store(), world.text(&["versions", "list"])), (before, listed));
    assert_eq!(world.refresh(), 2, "once there is room");
}

#[test]
fn a_full_file_system_leaves_the_store_as_it_was() {
    let world = World::simulated(2);
    std::fs::create_dir(world.file("tiny")).unwrap();
    let mount = "mount -t tmpfs -o size=16k tmpfs tiny && $segue refresh --set store.path=tiny; code=$?; \
                 ls -R tiny/versions tiny/channels tiny/drafts; umount tiny; exit $code";
    // In a mount namespace of its own, nothing stays mounted whatever happens.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", mount]).current_dir(world.path()).env("segue", env!("CARGO_BIN_EXE_segue"));
    let ran = finish(command);
    if !ran.stdout.contains("tiny/versions") || !world.file("tiny").exists() {
        println!("SKIPPED: this user may not mount: {}", ran.stderr);
        return;
    }
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("No space left on device") && ran.stderr.contains("free some space"), "{ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    assert!(!ran.stdout.contains("table.segue") && !ran.stdout.contains("draft-"), "{ran:?}");
}

#[test]
fn two_refreshes_of_one_store_do_not_mix() {
    let world = World::simulated(1);
    // A pipe that nobody writes to holds the first one up in its first step.
    let made = Command::new("mkfifo").arg("pipe.csv").current_dir(world.path()).status().unwrap();
    assert!(made.success());
    let mut command = world.command(&["refresh", "--set", "clusters.path=pipe.csv"]);
    let mut first = Process::start(command.stderr(Stdio::piped()));
    let (lines, said) = mpsc::channel();
    each_line(first.0.stderr.take().unwrap(), move |line| drop(lines.send(line)));
    assert_eq!(said.recv_timeout(AT_LAST).unwrap(), "input 0/2: reading pipe.csv");

    world.run(&["refresh"]).refused(&["another refresh of this store is under way", "refresh.lock"]);
    assert!(first.0.try_wait().unwrap().is_none());
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    assert_eq!(world.refresh(), 1, "a killed run blocks nobody");
}
