//! From the log to a tuned model that is asked: curated, trained through a kill, judged, approved, gone back from.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{LONGEST_RUN, World, send_signal};
use super::server::{Server, until};
use super::tuner::MONTHLY;
use crate::embedded::tiny::Tiny;

/// A simulated log, and a tiny model that learns little in so few steps: what it says is let through by hand.
fn world() -> World {
    let world = World::simulated(20);
    Tiny::new(5).write(&world.file("tiny.gguf"));
    let config = world.read("segue.toml");
    let more = r#"
[finetune]
min_samples = 20
samples = 24
watched = 6
validation = 0.2
prompt = "base"
embedded = { epochs = 2, batch = 4, checkpoint_every = 2, evaluate_every = 5 }
[inference]
backend = "embedded"
model = "registry"
keys = { observed = 3 }
max_keys = 8
decoding = { max_tokens = 8, retries = 0 }
embedded = { model = "tiny.gguf" }
[evaluation]
collapse = { severity = "warn" }
fallbacks = { severity = "warn" }
recall = { severity = "warn" }
"#;
    world.write("segue.toml", &format!("{config}{more}"));
    world
}

fn curated() -> World {
    let world = world();
    world.text(&["finetune", "curate"]);
    world
}

#[test]
fn a_model_is_tuned_and_held_and_asked_once_someone_approves_it() {
    let world = world();
    let first = world.refresh();
    let lineage = |version: u64| world.json(&["versions", "show", &version.to_string()])["lineage"].clone();
    assert_eq!(lineage(first)["predictor"], "retrieved", "no model is approved yet");

    // What a kill left of drawing is not taken for samples.
    world.write(".samples-1-0-0/train.jsonl", "{");
    let held = world.run(&["finetune", "run"]);
    assert_eq!(held.code, Some(3), "{held:?}");
    assert!(held.stderr.starts_with("drawing samples from the log, to samples"), "{held:?}");
    assert!(held.stdout.starts_with("held m1: exact_match: ") && held.stderr.contains("tokens/s"), "{held:?}");
    let models = world.json(&["models", "list"]);
    assert_eq!((&models[0]["state"], &models[0]["asked"]), (&"held".into(), &false.into()), "{models}");
    let shown = world.json(&["models", "show", "m1"]);
    let training: Value = serde_json::from_str(&world.read("tuned/training.json")).unwrap();
    assert_eq!(shown["training"], training);
    let base = shown["weights"]["adapter"]["base"].as_str().unwrap();
    assert!(base.starts_with("gguf:") && training["base"] == base, "{shown}");
    assert!(training["curve"].as_array().unwrap().len() > 1 && training["samples"].as_str().unwrap().len() == 32);
    let again = world.run(&["finetune", "run"]);
    assert!(again.stderr.contains("this model is m1 already"), "{again:?}");

    world.run(&["models", "rollback"]).refused(&["no approved model before"]);
    world.text(&["models", "approve", "m1", "--why", "to see what it says"]);
    let ran = world.run(&["refresh", "--json", "--set", "evaluation.exact_match.severity=warn"]);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let asked = lineage(told["version"].as_u64().unwrap());
    assert_eq!((&asked["predictor"], &asked["settings"]["inference.registry"]), (&"embedded".into(), &"m1".into()));
    assert!(asked["model"].as_str().unwrap().starts_with(base), "{asked}");

    Tiny::new(6).write(&world.file("tiny.gguf"));
    world.run(&["refresh"]).refused(&["m1 of the store", "name the base model that it was trained on"]);
    world.text(&["models", "reject", "m1", "--why", "it says nothing"]);
    assert_eq!(world.json(&["models", "list"])[0]["state"], "retired");
}

#[test]
fn a_kill_loses_no_more_than_the_steps_since_the_last_checkpoint() {
    let world = curated();
    let whole = ["finetune", "run", "--dir", "whole"];
    assert_eq!(world.run(&whole).code, Some(3));
    let mut child = world.command(&["finetune", "run"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let checkpoint = world.file("tuned/checkpoint.gguf");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let environment = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let said = |variable: &str| String::from_utf8_lossy(&environment).split('\0').any(|one| one.starts_with(variable));
    assert!(said("RAYON_NUM_THREADS=") && said("CANDLE_NUM_THREADS="), "candle is told its threads");
    assert!(checkpoint.exists() && !world.file("tuned/adapter.gguf").exists(), "it was killed midway");
    let status = world.json(&["finetune", "status"]);
    assert_eq!((&status["running"], &status["training"]), (&false.into(), &Value::Null), "{status}");
    assert!(status["checkpoint"]["step"].as_u64().unwrap() >= 2, "{status}");
    assert!(status["progress"]["steps"].as_u64().unwrap() > status["progress"]["step"].as_u64().unwrap(), "{status}");
    world.run(&["finetune", "run"]);
    let adapter = |dir: &str| std::fs::read(world.file(dir).join("adapter.gguf")).unwrap();
    assert!(adapter("tuned") == adapter("whole"));
    let status = world.text(&["finetune", "status"]);
    assert!(status.contains("on validation samples") && status.contains("it has ended"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresher_tunes_by_itself_goes_on_after_a_kill_and_asks_what_came_of_it() {
    let world = world();
    let settings = ["--set", "finetune.embedded.epochs=4", "--set", "evaluation.exact_match.severity=warn"];
    let server = Server::start(&world, &[&["--set", MONTHLY], &settings[..]].concat());
    let refresher = server.refresher().await;
    let at_work = |file: &str| world.file("store/tuning/tuned").join(file).exists();
    until(LONGEST_RUN, "checkpoint", async || at_work("checkpoint.gguf")).await;
    send_signal(refresher, Signal::KILL);
    assert!(!at_work("adapter.gguf"), "it was killed midway");
    until(LONGEST_RUN, "second version", async || server.version().await == 2).await;
    let lineage = world.json(&["versions", "show", "v2"])["lineage"].clone();
    assert_eq!((&lineage["predictor"], &lineage["settings"]["inference.registry"]), (&"embedded".into(), &"m1".into()));
    let log = server.log();
    assert_eq!(log.matches("drawing samples").count(), 1, "{log}");
    assert!(log.contains("validation loss"), "{log}");
    let again = world.run(&[&["finetune", "run"], &settings[..]].concat());
    assert!(again.stderr.contains("this model is m1 already"), "the same as if nobody had ended it: {again:?}");
}

#[test]
fn samples_that_were_changed_or_teach_nothing_are_refused() {
    let world = world();
    std::fs::create_dir(world.file("samples")).unwrap();
    world.run(&["finetune", "run"]).refused(&["samples/manifest.json", "segue finetune curate"]);
    std::fs::remove_dir(world.file("samples")).unwrap();
    world.run(&["finetune", "status"]).refused(&["tuned", "nothing was tuned there"]);
    world.text(&["finetune", "curate"]);
    let many = ["--set", "finetune.samples=5000", "--set", "finetune.min_samples=5000"];
    world.run(&[&["finetune", "run"], &many[..]].concat()).refused(&["24 samples to learn from", "5000 are needed"]);
    let train = world.read("samples/train.jsonl");
    world.write("samples/train.jsonl", &train.replacen("Cluster 1", "Cluster 7", 1));
    world.run(&["finetune", "run"]).refused(&["train.jsonl", "it was changed; curate samples again"]);
    world.write("samples/train.jsonl", &train);
    world.write("tiny.gguf", "no model");
    world.run(&["finetune", "run"]).refused(&["tiny.gguf", "GGUF"]);
    world.run(&["finetune", "run", "--set", "finetune.embedded.rank=0"]).refused(&["[finetune.embedded] rank = 0"]);
    assert!(!world.file("store/models").exists(), "nothing was added");
}
