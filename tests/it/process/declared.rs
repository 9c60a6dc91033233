//! Experiments that commands declare while servers run.

use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::process::Signal;
use segue::proto::LookupRequest;
use serde_json::json;

use super::harness::{Process, World};
use super::server::{AT_LAST, SOON, Server, until};
use crate::serve::harness::lookup;

const SETTINGS: &str = r#"
[exposures]
path = "exposures"
every = "100ms"
[outcomes]
path = "outcomes.csv"
metrics = { "satisfaction rate" = { mean = "satisfied" } }
"#;

const SET: [&str; 9] = ["experiment", "set", "rag", "--salt", "r", "--arm", "control=0.5", "--arm", "fresh=0.5@fresh"];

/// With version 1 on `main`, `control` and `fresh`, and no experiment.
fn world() -> World {
    let world = World::simulated(2);
    world.refresh();
    for channel in ["control", "fresh"] {
        world.text(&["versions", "publish", "1", "--channel", channel, "--why", "an arm"]);
    }
    world.write("segue.toml", &(world.read("segue.toml") + SETTINGS));
    world
}

async fn server(world: &World) -> Server {
    let server = Server::start(world, &["--no-refresher"]);
    let _ = server.serves(1).await;
    server
}

/// The arms of some units, "" where there is none.
async fn arms(server: &Server) -> Vec<String> {
    let mut client = server.lookups().await;
    let mut arms = Vec::new();
    for unit in 0..30 {
        let request = LookupRequest { unit: format!("user {unit}"), ..lookup(&[3], 1) };
        arms.push(client.lookup(request).await.unwrap().into_inner().arm);
    }
    arms
}

async fn none(server: &Server) -> bool {
    arms(server).await.iter().all(String::is_empty)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_runs_on_every_server_of_the_store_until_it_is_ended() {
    let world = world();
    let mut servers = [server(&world).await, server(&world).await];
    assert!(none(&servers[0]).await && !world.file("exposures").exists());

    let change = world.json(&[&SET[..], &["--why", "to see"]].concat());
    assert_eq!((&change["seq"], &change["why"]), (&json!(1), &json!("to see")));
    for server in &servers {
        until(SOON, "arms", async || arms(server).await.iter().all(|arm| !arm.is_empty())).await;
    }
    let dealt = arms(&servers[0]).await;
    assert_eq!(dealt, arms(&servers[1]).await, "by the formula alone");
    let now = Utc::now();
    let offline = world.json(&["lookup", "3", "--unit", "user 7", "--offline"]);
    assert_eq!((&offline["experiment"], &offline["arm"]), (&json!("rag"), &json!(dealt[7])));
    let p_value =
        async |server: &Server| server.metric(r#"segue_experiment_sample_ratio_p_value{experiment="rag"}"#).await;
    until(AT_LAST, "a live sample-ratio check", async || p_value(&servers[0]).await > 0.0).await;

    let before = world.store();
    world
        .run(&["experiment", "set", "new", "--salt", "n", "--arm", "a=0.5@main", "--arm", "b=0.5@fresh"])
        .refused(&["experiments `rag` and `new` both take over channel `main`"]);
    world
        .run(&["experiment", "set", "new", "--salt", "n", "--channel", "fresh", "--arm", "a=1@main"])
        .refused(&["experiment `new` has 1 arm(s)"]);
    let misread = world.run(&["experiment", "set", "new", "--salt", "n", "--arm", "a=half", "--arm", "b=0.5"]);
    assert!(misread.code == Some(2) && misread.stderr.contains("`half` is no weight"), "{misread:?}");
    world.run(&["experiment", "end", "rgg"]).refused(&["no call declared an experiment `rgg`", "there are: rag"]);
    assert_eq!(world.store(), before);
    assert_eq!(arms(&servers[1]).await, dealt);

    let listed = world.json(&["experiment", "list"]);
    assert_eq!((&listed["experiments"][0]["phase"], &listed["changes"][0]), (&json!("running"), &change));
    let shown = world.text(&["experiment", "list"]);
    assert!(shown.contains("control=0.5@control fresh=0.5@fresh") && shown.contains("to see"), "{shown}");

    assert_eq!(world.text(&["experiment", "end", "rag", "--why", "seen"]), "rag has ended (change 2)\n");
    for server in &servers {
        until(SOON, "arms any more", async || none(server).await).await;
        until(SOON, "word of the end", async || p_value(server).await.is_nan()).await;
    }
    for server in &mut servers {
        server.process.signal(Signal::TERM);
        assert!(server.process.ends_within(AT_LAST).success(), "{}", server.log());
    }
    analyzed(&world, &dealt, now);
}

/// An experiment that has ended is read up to its end, each unit once, whichever server met it.
fn analyzed(world: &World, dealt: &[String], now: DateTime<Utc>) {
    let row = |unit: usize| format!("user {unit},{},{}\n", now.to_rfc3339(), unit % 2);
    let rows: String = (0..dealt.len()).map(row).collect();
    world.write("outcomes.csv", &("user_id,timestamp,satisfied\n".to_owned() + &rows));
    let report = world.json(&["experiment", "analyze"]);
    let units = |arm: &str| dealt.iter().filter(|of| *of == arm).count();
    assert_eq!(report["experiment"], "rag");
    assert_eq!(report["sample_ratio"]["units"], json!([units("control"), units("fresh")]), "{report:#}");
    world.run(&["experiment", "analyze", "rgg"]).refused(&["no experiment `rgg`", "did you mean `rag`?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_command_leaves_the_change_whole_or_nothing_of_it() {
    let world = world();
    let server = server(&world).await;
    for round in 0..12 {
        let mut process = Process::start(&mut world.command(&SET));
        thread::sleep(Duration::from_millis(10 + 8 * round));
        process.signal(Signal::KILL);
        process.ends_within(AT_LAST);
        let listed = world.json(&["experiment", "list", "--limit", "1000"]);
        let seqs: Vec<u64> =
            listed["changes"].as_array().unwrap().iter().map(|change| change["seq"].as_u64().unwrap()).collect();
        assert!(seqs.iter().rev().copied().eq(1..=seqs.len() as u64), "{listed:#}");
    }
    world.json(&SET);
    until(SOON, "arms", async || arms(&server).await.iter().all(|arm| !arm.is_empty())).await;
    world.text(&["versions", "gc"]);
    assert_eq!(std::fs::read_dir(world.file("store/drafts")).unwrap().count(), 0);
}
