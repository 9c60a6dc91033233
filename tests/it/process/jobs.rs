//! Tuning by an endpoint's job: ordered once, followed through whatever happens, judged, asked.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::harness::{LONGEST_RUN, Process, World};
use crate::inference::endpoint::{Behaviour, Endpoint, Fate, Trouble};

/// A simulated log, and a config that orders from the endpoint.
pub(super) fn world(endpoint: &Endpoint) -> World {
    let job = r#"suffix = "segue", price = 2.0, max_cost = 1.0, poll = "10ms""#;
    ordering(endpoint, 20, job, r#"key_env = "SEGUE_TEST_KEY", retries = 2"#)
}

/// So many days of log, and a config with these settings of the job and of asking. What answers are worth is for other
/// tests.
pub(super) fn ordering(endpoint: &Endpoint, days: u32, job: &str, asking: &str) -> World {
    let world = World::simulated(days);
    let config = world.read("segue.toml");
    let more = format!(
        r#"
[finetune]
backend = "openai"
min_samples = 20
samples = 24
watched = 6
validation = 0.2
openai = {{ model = "base", {job} }}
[inference]
backend = "openai"
model = "registry"
keys = {{ observed = 3 }}
max_keys = 8
decoding = {{ retries = 0 }}
openai = {{ url = "{}", model = "m", {asking} }}
[evaluation]
collapse = {{ severity = "warn" }}
fallbacks = {{ severity = "warn" }}
recall = {{ severity = "warn" }}
"#,
        endpoint.url
    );
    world.write("segue.toml", &format!("{config}{more}"));
    world
}

pub(super) fn endpoint(fate: Fate) -> Endpoint {
    Endpoint::start(Behaviour { fate, ..Behaviour::default() })
}

pub(super) const RUN: [&str; 2] = ["finetune", "run"];
/// Looks so seldom that the job is under way for as long as a test needs.
const SLOW_RUN: [&str; 4] = ["finetune", "run", "--set", "finetune.openai.poll=500ms"];

#[test]
fn a_job_is_ordered_followed_judged_and_its_model_asked_once_someone_approves_it() {
    let endpoint = endpoint(Fate::default());
    let world = world(&endpoint);
    world.refresh();
    let held = world.run(&RUN);
    assert_eq!(held.code, Some(3), "{held:?}");
    for said in ["tokens are to be trained in 3 epochs for about", "the job is ftjob-0 at", "ftjob-0 is running"] {
        assert!(held.stderr.contains(said), "{said}: {held:?}");
    }
    let asked = format!("ask 0/{0}: {0} questions to ask about {0} keys", endpoint.questions().len());
    for said in ["Created fine-tuning job", "step 1/4: loss 1.000", "1000000 tokens, for 2.00", &asked] {
        assert!(held.stderr.contains(said), "{said}: {held:?}");
    }
    assert!(held.stdout.starts_with("held m1: exact_match: "), "{held:?}");
    assert!(
        endpoint.questions().iter().all(|body| body["model"] == "ft:base:org::ftjob-0"),
        "the tuned model is asked"
    );
    let shown = world.json(&["models", "show", "m1"]);
    assert_eq!(shown["weights"], json!({ "remote": { "model": "ft:base:org::ftjob-0" } }));
    let training: Value = serde_json::from_str(&world.read("tuned/training.json")).unwrap();
    assert_eq!(shown["training"], training);
    assert_eq!(
        (&training["job"], &training["base"], &training["cost"]),
        (&json!("ftjob-0"), &json!("base"), &json!(2.0))
    );
    assert_eq!(training["curve"].as_array().unwrap().len(), 3, "each step once: {training}");
    let manifest: Value = serde_json::from_str(&world.read("samples/manifest.json")).unwrap();
    assert_eq!(training["manifest"], manifest, "nothing of the samples is lost");
    assert_eq!(manifest["retrieval"]["top"], 1, "{manifest}");
    let text = world.text(&["models", "show", "m1"]);
    for said in [
        "24 train, ",
        ", natural, drawn with the seed 1",
        "[2025-10-",
        "log (",
        "top 1 by frequency, instance, of 7days",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }

    let asked = endpoint.questions().len();
    let again = world.run(&RUN);
    assert!(again.stderr.contains("this model is m1 already"), "{again:?}");
    assert_eq!((endpoint.jobs(), endpoint.questions().len()), (1, asked), "nothing is paid for twice");
    let status = world.json(&["finetune", "status"]);
    assert_eq!((&status["running"], &status["job"]["job"]["status"]), (&json!(false), &json!("succeeded")), "{status}");
    assert!(world.text(&["finetune", "status"]).contains("job ftjob-0 of base at"), "{status}");

    world.text(&["models", "approve", "m1", "--why", "to see what it says"]);
    let refreshed = world.run(&["refresh", "--set", "evaluation.exact_match.severity=warn"]);
    assert_eq!(refreshed.code, Some(0), "{refreshed:?}");
    assert_eq!(world.json(&["versions", "show", "2"])["lineage"]["model"], "openai/ft:base:org::ftjob-0");
}

/// A run that has begun to follow its job, the endpoint's last of so many.
fn following(world: &World, endpoint: &Endpoint, jobs: usize) -> Process {
    let mut command = world.command(&SLOW_RUN);
    let run = Process::start(command.stderr(Stdio::null()).stdout(Stdio::null()));
    let noted = || std::fs::read_to_string(world.file("tuned/job.json")).is_ok_and(|note| note.contains("ftevent-0"));
    while endpoint.jobs() < jobs || !noted() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(endpoint.jobs(), jobs);
    run
}

#[test]
fn a_kill_orders_nothing_twice_and_an_interrupted_watch_says_how_to_go_on() {
    let endpoint = endpoint(Fate { looks: 300, ..Fate::default() });
    let world = world(&endpoint);
    let mut killed = following(&world, &endpoint, 1);
    world.run(&RUN).refused(&["another process is at work in tuned"]);
    killed.signal(Signal::KILL);
    killed.ends_within(LONGEST_RUN);

    let mut left = Process::start(world.command(&SLOW_RUN).stderr(Stdio::piped()).stdout(Stdio::null()));
    let mut lines = BufReader::new(left.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("ftjob-0 is ")), "it watches");
    left.signal(Signal::INT);
    assert_eq!(left.ends_within(LONGEST_RUN).code(), Some(130));
    let said = lines.last().unwrap();
    assert!(said.contains("ftjob-0 goes on") && said.contains("segue finetune cancel"), "{said}");
    let status = world.text(&["finetune", "status"]);
    assert!(status.contains("ftjob-0 of base") && status.contains("nobody is at work on it"), "{status}");

    let ran = world.run(&RUN);
    assert_eq!((ran.code, endpoint.jobs()), (Some(3), 1), "{ran:?}");
    let training: Value = serde_json::from_str(&world.read("tuned/training.json")).unwrap();
    let steps: Vec<_> = training["curve"].as_array().unwrap().iter().map(|step| step["step"].as_u64()).collect();
    assert_eq!(steps, (1..300).map(Some).collect::<Vec<_>>(), "each step once, whoever saw it");
}

#[test]
fn a_job_whose_making_was_not_told_is_found_and_not_made_again() {
    let lost = endpoint(Fate { lost: true, ..Fate::default() });
    let ran = world(&lost).run(&RUN);
    assert_eq!((ran.code, lost.jobs()), (Some(3), 1), "{ran:?}");

    // The same where the process ended between asking for it and hearing of it.
    let endpoint = endpoint(Fate::default());
    let world = world(&endpoint);
    assert_eq!(world.run(&RUN).code, Some(3));
    let mut note: Value = serde_json::from_str(&world.read("tuned/job.json")).unwrap();
    (note["job"], note["events"], note["curve"]) = (Value::Null, json!([]), json!([]));
    world.write("tuned/job.json", &note.to_string());
    let ran = world.run(&RUN);
    assert!(ran.stderr.contains("this model is m1 already"), "{ran:?}");
    assert_eq!(endpoint.jobs(), 1);
}

#[test]
fn a_job_whose_making_was_not_told_can_be_cancelled() {
    let endpoint = endpoint(Fate { looks: 100_000, ..Fate::default() });
    let world = world(&endpoint);
    let mut killed = following(&world, &endpoint, 1);
    killed.signal(Signal::KILL);
    killed.ends_within(LONGEST_RUN);
    let mut note: Value = serde_json::from_str(&world.read("tuned/job.json")).unwrap();
    note["job"] = Value::Null;
    world.write("tuned/job.json", &note.to_string());
    assert_eq!(world.json(&["finetune", "status"])["job"]["job"]["id"], "ftjob-0", "as the endpoint tells of it");
    assert_eq!(world.text(&["finetune", "cancel"]), "ftjob-0 is cancelled\n");
    world.run(&RUN).refused(&["ftjob-0 is cancelled"]);

    note["ordered"] = json!(false);
    world.write("tuned/job.json", &note.to_string());
    world.run(&["finetune", "cancel"]).refused(&["tuned/job.json notes no job", "none of its training file"]);
    std::fs::remove_file(world.file("tuned/job.json")).unwrap();
    world.run(&["finetune", "cancel"]).refused(&["no job was ordered there"]);
}

#[test]
fn a_job_that_is_called_what_nobody_knows_is_followed() {
    let endpoint = endpoint(Fate { running: "dancing", ..Fate::default() });
    let ran = world(&endpoint).run(&RUN);
    assert!(ran.code == Some(3) && ran.stderr.contains("ftjob-0 is `dancing`, which is taken as under way"), "{ran:?}");
    assert!(ran.stderr.contains("1000000 tokens, for 2.00"), "to its end: {ran:?}");
}

#[test]
fn what_comes_to_nothing_says_why_and_changes_nothing() {
    for (ends, says) in [("failed", "is failed (too many bad lines)"), ("cancelled", "is cancelled")] {
        let endpoint = endpoint(Fate { ends, ..Fate::default() });
        let world = world(&endpoint);
        for _ in 0..2 {
            world.run(&RUN).refused(&["the fine-tuning job ftjob-0", says, "remove tuned/job.json"]);
        }
        assert_eq!((endpoint.jobs(), world.json(&["models", "list"])), (1, json!([])));
    }
    let endpoint = endpoint(Fate { looks: 100_000, ..Fate::default() });
    let world = world(&endpoint);
    let mut run = following(&world, &endpoint, 1);
    assert_eq!(world.text(&["finetune", "cancel"]), "ftjob-0 is cancelled\n");
    assert_eq!(run.ends_within(LONGEST_RUN).code(), Some(1));
    world.run(&RUN).refused(&["ftjob-0 is cancelled"]);

    std::fs::remove_dir_all(world.file("tuned")).unwrap();
    let mut run = following(&world, &endpoint, 2);
    endpoint.forget_jobs();
    assert_eq!(run.ends_within(LONGEST_RUN).code(), Some(1));
    world.run(&RUN).refused(&["the fine-tuning job ftjob-1 is not known there any more", "404"]);
    assert_eq!(endpoint.jobs(), 0, "no other one is ordered unasked");
}

#[test]
fn trouble_on_the_way_is_gone_through_or_told() {
    let endpoint = endpoint(Fate::default());
    let world = world(&endpoint);
    world
        .run(&[&RUN[..], &["--set", "finetune.openai.max_cost=0.001"]].concat())
        .refused(&["nothing was ordered", "max_cost"]);
    world
        .run(&[&RUN[..], &["--set", "finetune.openai.model="]].concat())
        .refused(&["openai.model", "name the base model"]);
    assert!(endpoint.keys().is_empty() && !world.file("tuned/job.json").exists(), "nothing was sent");

    // Two uploads, and then what is no job.
    endpoint.trouble([
        Trouble::Refused(429, Some("0"), "rate_limit_exceeded"),
        Trouble::Refused(500, Some("0"), "server_error"),
    ]);
    endpoint.trouble([Trouble::Refused(401, None, "invalid_api_key")]);
    world.run(&RUN).refused(&["401", "valid API key into SEGUE_TEST_KEY"]);
    let run = |troubles: &[&'static str], says: &str| {
        endpoint.trouble(troubles.iter().map(|body| Trouble::Garbage(body)));
        world.run(&RUN).refused(&[says]);
    };
    run(&["<html>"], "is not what the API says");
    run(&["{\"id\": \"../../x\"}"], "which is no id");
    run(&["{\"id\": \"file-8\"}", "{\"id\": \"file-9\"}"], "answered 400");
    // From here on a job may have been made: it is looked for before another one is asked for, and after.
    let none = "{\"data\": []}";
    run(&[none, "<html>", none], "is not what the API says");
    run(&[none, "{\"id\": \"a/b\", \"status\": \"queued\", \"training_file\": \"f\"}", none], "which is no id");
    run(&[none, "{\"id\": \"a\", \"status\": 7, \"training_file\": \"f\"}", none], "is not what the API says");
    run(&[none, "{\"id\": \"a\", \"status\": \"succeeded\", \"training_file\": \"f\"}", none], "names no model");
    run(&["{\"data\": [{}]}"], "is not what the API says");
    assert_eq!(endpoint.jobs(), 0);
}
