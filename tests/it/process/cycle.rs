//! The loop on the command line: a log comes in, tables are published, looked into, moved between and removed.

use serde_json::json;

use super::harness::{World, finish};

#[test]
fn a_simulated_log_becomes_a_table_and_a_new_day_the_next() {
    let world = World::with_log("");
    let days = ["--users", "60", "--clusters", "12", "--days", "3"];
    let told = world.json(&[&["simulate", "--dir", "sim"], days.as_slice()].concat());
    assert_eq!((&told["days"], told["rows"].as_u64().unwrap() > 500), (&json!(3), true), "{told}");
    let config = told["config"].as_str().unwrap();
    let new_day = world.file("sim/log/date=2026-01-03");
    std::fs::rename(&new_day, world.file("aside")).unwrap();

    let ran = world.run(&["refresh", "--config", config]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("published v1: ") && ran.stdout.lines().count() == 1, "{ran:?}");
    for step in ["input 0/2", "input 2/2", "count 0/3", "count 2/3", "publish 0/2", "publish 2/2"] {
        assert!(ran.stderr.lines().any(|line| line.starts_with(step)), "{step}: {ran:?}");
    }
    let ran = world.run(&["refresh", "--config", config]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), "nothing to do: v1 already holds this log\n"), "{ran:?}");
    let ran = world.run(&["refresh", "--json", "--config", config]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &told["outcome"], &told["version"]), (Some(4), &json!("nothing_to_do"), &json!(1)));

    std::fs::rename(world.file("aside"), &new_day).unwrap();
    let told = world.json(&["refresh", "--config", config, "--why", "a new day"]);
    assert_eq!((&told["outcome"], &told["version"]), (&json!("published"), &json!(2)));
    let manifest = &told["manifest"];
    assert_eq!((&manifest["parent"], &manifest["reason"], &manifest["k"]), (&json!(1), &json!("a new day"), &json!(2)));
    assert!(manifest["lineage"]["window_to"].as_str().unwrap().starts_with("2026-01-03T23:"), "{manifest}");
}

#[test]
fn a_day_that_still_streams_in_is_left_for_later() {
    let first_days = "user_id,cluster_id,timestamp\n1,1,2026-01-01\n1,2,2026-01-02\n";
    let world = World::with_log(&format!("{first_days}1,3,2026-01-03T09:00:00Z\n2,99,2026-01-03T09:30:00Z\n"));
    let whole_days = ["refresh", "--set", "refresh.ends=whole_days"];
    let told = world.json(&whole_days);
    let lineage = &told["manifest"]["lineage"];
    assert_eq!(lineage["window_to"], "2026-01-03T00:00:00Z", "{told}");
    assert_eq!((&lineage["settings"]["rows"], &lineage["settings"]["bad_rows"]), (&json!("2"), &json!("0")), "{told}");
    world.write("log/log.csv", &format!("{first_days}1,3,2026-01-03\n1,4,2026-01-04\n"));
    assert_eq!(world.json(&whole_days)["manifest"]["lineage"]["settings"]["rows"], "3");
    world.write("log/log.csv", "user_id,cluster_id,timestamp\n1,1,2026-01-01\n1,2,2026-01-01T10:00:00Z\n");
    world.run(&whole_days).refused(&["no interactions in the window"]);
}

#[test]
fn a_corrected_log_is_counted_again() {
    let world = World::with_log("user_id,cluster_id,timestamp\n1,1,2026-01-01\n1,2,2026-01-02\n");
    let refresh = |code| assert_eq!(world.run(&["refresh"]).code, Some(code));
    refresh(0);
    refresh(4);
    world.write("log/log.csv", "user_id,cluster_id,timestamp\n1,2,2026-01-01\n1,1,2026-01-02\n");
    refresh(0);
}

/// Three versions; `main` is at the last.
fn three_versions() -> World {
    let world = World::simulated(1);
    for version in 1..=3 {
        assert_eq!(world.refresh(), version);
        world.add_day(u32::try_from(version).unwrap());
    }
    world
}

/// Where `main` points, as `versions list` tells it.
fn main_at(world: &World) -> u64 {
    let listed = world.json(&["versions", "list"]);
    let versions = listed.as_array().unwrap().iter();
    let mut at = versions.filter(|row| row["channels"] == json!(["main"]));
    at.next().unwrap()["manifest"]["version"].as_u64().unwrap()
}

#[test]
fn versions_are_listed_shown_moved_between_and_removed() {
    let world = three_versions();
    let listed = world.text(&["versions", "list"]);
    let first_cells: Vec<_> = listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(first_cells, ["version", "v3", "v2", "v1"], "{listed}");
    let shown = world.text(&["versions", "show", "v2"]);
    assert!(shown.contains("parent                  v1"), "{shown}");
    assert_eq!(world.json(&["versions", "show", "2"])["parent"], 1);

    assert_eq!(world.json(&["versions", "rollback"]), json!({ "channel": "main", "version": 2 }));
    assert_eq!(world.text(&["versions", "rollback", "--why", "worse"]), "main is at v1\n");
    world.run(&["versions", "rollback"]).refused(&["`main` is at v1", "nothing before it", "publish another"]);
    assert_eq!(main_at(&world), 1);
    assert_eq!(world.text(&["versions", "publish", "v3", "--channel", "control"]), "control is at v3\n");

    let moves = world.json(&["versions", "moves"]);
    let told =
        moves.as_array().unwrap().iter().map(|step| (step["action"].as_str().unwrap(), step["version"].as_u64()));
    let publishes = [3, 2, 1].map(|version| ("publish", Some(version)));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [&[("rollback", Some(1)), ("rollback", Some(2))], publishes.as_slice()].concat()
    );
    assert_eq!(moves[0]["why"], "worse");
    assert_eq!(world.text(&["versions", "moves"]).lines().count(), 6);

    let gc = ["versions", "gc", "--set", "store.keep=1"];
    assert_eq!(world.text(&[gc.as_slice(), &["--dry-run"]].concat()), "would remove v2\n");
    assert_eq!(world.json(&gc), json!({ "dry_run": false, "removed": [2], "answers": null }));
    assert_eq!(world.text(&gc), "removed nothing\n");
    world.run(&["versions", "publish", "v2"]).refused(&["no version v2", "gc removed it"]);
    assert_eq!(main_at(&world), 1);
}

#[test]
fn a_table_is_inspected_proven_and_asked_without_a_server() {
    let world = World::simulated(2);
    world.refresh();
    let file = "store/versions/1/table.segue";
    let inspected = world.json(&["table", "inspect", "v1"]);
    assert_eq!((&inspected["k"], &inspected["width"], &inspected["clusters"]), (&json!(2), &json!(8), &json!(12)));
    let keys: u64 = inspected["sections"].as_array().unwrap().iter().map(|part| part["keys"].as_u64().unwrap()).sum();
    assert_eq!(world.json(&["table", "inspect", file])["checksum"], inspected["checksum"]);
    assert!(world.text(&["table", "inspect", "v1"]).contains("12 keys of 1"));
    assert_eq!(world.json(&["table", "verify", file])["keys"], keys);
    assert!(world.text(&["table", "verify", "1"]).contains(&format!("{keys} keys in ")));

    let told = world.json(&["lookup", "--offline", "3", "5", "--limit", "4", "--exclude", "1,2"]);
    assert_eq!(told["version"], 1);
    let clusters: Vec<_> = told["predictions"].as_array().unwrap().iter().map(|one| one["cluster"].as_u64()).collect();
    assert_eq!(clusters.len(), 4);
    assert!([1, 2, 3, 5].iter().all(|&met| !clusters.contains(&Some(met))), "{clusters:?}");
    let text = world.text(&["lookup", "--offline", "3", "5", "--limit", "4", "--exclude", "1,2"]);
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.starts_with("v1 matched "), "{text}");
    let popular = world.json(&["lookup", "--offline"]);
    assert_eq!((&popular["matched"], &popular["predictions"][0]["source"]), (&json!(0), &json!("popular")));
    world.run(&["lookup", "--offline", "3", "--limit", "9"]).refused(&["limit is 9", "8 wide", "at most 8"]);
}

#[test]
fn other_inputs_make_another_table_though_the_rows_are_as_many() {
    let world = World::with_log("user_id,item_id,timestamp\n1,5,2026-01-01\n1,6,2026-01-02\n1,7,2026-01-03\n");
    world.write("items.csv", "item_id,cluster_id\n5,1\n6,2\n7,3\n");
    let args = ["refresh", "--set", "interactions.items=items.csv"];
    assert_eq!(world.run(&args).code, Some(0));
    assert_eq!(world.run(&args).code, Some(4));
    world.write("items.csv", "item_id,cluster_id\n5,1\n6,2\n7,4\n");
    let ran = world.run(&args);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(world.json(&["lookup", "--offline", "1", "2"])["predictions"][0]["cluster"], 4);
}

#[test]
fn help_is_there_for_every_command_and_a_config_file_is_not_needed() {
    let world = World::with_log("");
    std::fs::remove_file(world.file("segue.toml")).unwrap();
    let help = world.text(&["--help"]);
    for command in ["serve", "refresh", "count", "versions", "table", "lookup", "simulate"] {
        assert!(help.contains(command), "{help}");
        assert!(world.text(&[command, "--help"]).contains("Usage: segue"), "{command}");
    }
    assert!(!help.contains("refresher that"), "the child's command is not for people: {help}");
    assert!(world.text(&["--version"]).starts_with("segue "));
    assert!(world.text(&["versions", "list"]).starts_with("version"));
    let ran = finish(world.command(&["versions"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
}
