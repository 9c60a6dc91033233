//! Table files and stores that are not what they should be.

use super::harness::{World, finish};

fn published() -> World {
    let world = World::simulated(1);
    world.refresh();
    world
}

#[test]
fn a_torn_foreign_or_changed_table_is_told_from_a_sound_one() {
    let world = published();
    let sound = std::fs::read(world.file("store/versions/1/table.segue")).unwrap();
    let verify = |bytes: &[u8], parts: &[&str]| {
        std::fs::write(world.file("some.segue"), bytes).unwrap();
        world.run(&["table", "verify", "some.segue"]).refused(&[&["some.segue"], parts].concat());
    };
    verify(&sound[..sound.len() - 1], &["its header says", "cut off"]);
    verify(&sound[..40], &[]);
    verify(b"", &[]);
    verify(&b"c1,c2,next,count\n".repeat(9), &["does not start as a Segue table"]);
    let mut changed = sound.clone();
    *changed.last_mut().unwrap() ^= 1;
    verify(&changed, &["checksum", "damaged"]);
    let mut changed = sound.clone();
    changed[20] ^= 1;
    verify(&changed, &[]);
    std::fs::write(world.file("some.segue"), &sound).unwrap();
    world.text(&["table", "verify", "some.segue"]);
    world.run(&["table", "verify", "nowhere.segue"]).refused(&["nowhere.segue", "No such file"]);
    world.run(&["table", "verify", "v9"]).refused(&["no version v9"]);
}

#[test]
fn a_damaged_version_is_not_published() {
    let world = published();
    world.add_day(1);
    world.refresh();
    let table = world.file("store/versions/1/table.segue");
    let sound = std::fs::read(&table).unwrap();
    std::fs::write(&table, &sound[..sound.len() / 2]).unwrap();
    world.run(&["versions", "rollback"]).refused(&["versions/1/table.segue", "cut off"]);
    std::fs::copy(world.file("store/versions/2/table.segue"), &table).unwrap();
    world.run(&["versions", "publish", "v1"]).refused(&["has the checksum", "its manifest says", "exchanged"]);
    world.write("store/versions/1/manifest.json", "{ torn");
    world.run(&["versions", "show", "v1"]).refused(&["manifest.json is damaged", "backup"]);
    assert_eq!(world.json(&["lookup", "--offline", "3"])["version"], 2);
}

#[test]
fn names_and_numbers_that_mean_nothing() {
    let world = published();
    world.run(&["versions", "show", "v9"]).refused(&["no version v9"]);
    world.run(&["versions", "moves", "--channel", "nope"]).refused(&["no channel `nope`", "versions list"]);
    world.run(&["versions", "rollback", "--channel", "No/pe"]).refused(&["`No/pe` cannot name a channel", "a-z"]);
    world.run(&["versions", "rollback", "v9"]).refused(&["v9", "never pointed at"]);
    world.run(&["lookup", "--offline", "3", "--channel", "nope"]).refused(&["no channel `nope`"]);
    let ran = world.run(&["versions", "show", "newest"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("`newest` is not a version: write it as v123 or 123"), "{ran:?}");
}

#[test]
fn ports_that_are_taken_or_shown_to_the_world() {
    let world = published();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for key in ["http_addr", "grpc_addr", "admin_addr"] {
        let set = format!("serve.{key}={addr}");
        world.run(&["serve", "--set", &set]).refused(&[&format!("serve.{key} {addr}"), "in use", "another address"]);
    }
    world.run(&["serve", "--set", "serve.admin_addr=0.0.0.0:0"]).refused(&["serve.admin_addr", "admin_token_file"]);
    let set = format!("serve.grpc_addr={addr}");
    drop(taken);
    let parts = ["no server answers at", "segue serve", "--offline", "refused"];
    world.run(&["lookup", "3", "--set", &set]).refused(&parts);
}

#[test]
fn a_reader_that_had_enough_is_no_error() {
    let world = published();
    for script in
        ["versions list", "table inspect v1 --json", "table verify v1", "lookup 3 --offline", "count --show-sql"]
    {
        let ran = finish(world.shell(&format!("{{ $segue {script}; echo code $? >&2; }} | true")));
        assert_eq!(ran.stderr, "code 0\n", "{script}: {ran:?}");
    }
    let ran = finish(world.shell("$segue simulate --dir sim --users 5 --days 50 2>&1 | true; test -e sim/segue.toml"));
    assert_eq!(ran.code, Some(0), "the work is done though nobody listens: {ran:?}");
}
