//! The refresher tunes the model by itself, here by an endpoint's job: on schedule, adaptively, through a kill, in vain.

use rustix::process::Signal;
use segue::proto::tuning::State;
use segue::proto::{RefreshRequest, Tuning};
use serde_json::{Value, json};
use tokio_stream::StreamExt;

use super::harness::{LONGEST_RUN, World, children, is_running, send_signal};
use super::jobs::{endpoint, ordering};
use super::registry::obeying;
use super::server::{AT_LAST, Server, until};
use crate::inference::endpoint::{Endpoint, Fate};

const APPROVED: &str = r#"segue_finetune_runs_total{outcome="approved"}"#;
const HELD: &str = r#"segue_finetune_runs_total{outcome="held"}"#;
const FAILED: &str = r#"segue_finetune_runs_total{outcome="failed"}"#;
const RUNNING: &str = "segue_finetune_running";
pub(super) const MONTHLY: &str = r#"refresh.policy={fixed={every="1d",finetune="30d"}}"#;

fn world(endpoint: &Endpoint) -> World {
    ordering(endpoint, 18, r#"poll = "20ms""#, "retries = 6")
}

/// What is told of the tuning until it ends.
async fn tuned(server: &Server) -> Vec<Tuning> {
    let mut events = server.watch().await;
    let mut seen: Vec<Tuning> = Vec::new();
    let ended = async {
        while let Some(event) = events.next().await {
            seen.extend(event.unwrap().tuning);
            if seen.last().is_some_and(|last| last.state() != State::Running) {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(LONGEST_RUN, ended).await.is_ok(), "{seen:#?}");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_tunes_a_model_and_a_refresh_asks_it_at_once() {
    let endpoint = obeying();
    let world = world(&endpoint);
    let server = Server::start(&world, &["--set", MONTHLY]);
    let seen = tuned(&server).await;
    let (last, under_way) = seen.split_last().unwrap();
    assert_eq!((last.state(), last.model, last.says.as_str()), (State::Approved, 1, "m1 is approved"));
    assert!(under_way.iter().any(|tuning| tuning.says.contains("tokens are to be trained")), "{seen:#?}");
    until(LONGEST_RUN, "second version", async || server.version().await == 2).await;
    let lineage = |version: &str| world.json(&["versions", "show", version])["lineage"].clone();
    assert_eq!(lineage("v1")["predictor"], "retrieved", "the first table waits for no model");
    assert_eq!(lineage("v2")["model"], "openai/ft:base:org::ftjob-0");
    let shown = world.json(&["versions", "show", "v2"]);
    assert_eq!(
        (&shown["creator"], &shown["reason"]),
        (&json!("finetune"), &json!("a new model was approved: m1")),
        "{shown}"
    );
    assert_eq!(world.json(&["models", "show", "m1"])["reason"], "no model was tuned before");
    until(AT_LAST, "tidy store", async || !world.file("store/tuning").exists()).await;
    assert_eq!((server.metric(APPROVED).await, server.metric(RUNNING).await, endpoint.jobs()), (1.0, 0.0, 1));
    server.says("tuning: the job is ftjob-0 at").await;
    let next = world.text(&["refresh", "--why", "--set", MONTHLY]);
    assert!(next.contains("the model is due for tuning 2") && next.contains("finetune = 30days"), "{next}");
    assert_eq!(world.json(&["refresh", "--why"])["tuning"], Value::Null, "on demand, that is left to people");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_model_is_told_and_nothing_else_changes() {
    let endpoint = endpoint(Fate::default());
    let world = world(&endpoint);
    let adaptive = ["--set", r#"refresh.policy="adaptive""#, "--set", "refresh.look=100ms"];
    let due = world.text(&[&["refresh", "--why"], &adaptive[..]].concat());
    assert!(due.contains("the model is due for tuning now: no model was tuned before"), "{due}");
    let server = Server::start(&world, &adaptive);
    let seen = tuned(&server).await;
    let last = seen.last().unwrap();
    assert_eq!((last.state(), last.model), (State::Held, 1), "{seen:#?}");
    assert!(last.says.starts_with("m1 is held: exact_match: "), "{seen:#?}");
    until(AT_LAST, "outcome", async || server.metric(HELD).await == 1.0).await;
    assert!(!world.file("store/tuning").exists());
    // Another day comes and is weighed: the model is not learnt again.
    world.add_day(18);
    let weighed = || world.json(&["refresh", "--why"])["decisions"].as_array().unwrap().len() == 1;
    until(LONGEST_RUN, "decision", async || weighed()).await;
    assert_eq!((server.metric(RUNNING).await, endpoint.jobs(), server.version().await), (0.0, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_ends_the_tuner_with_the_refresher_and_the_next_one_goes_on() {
    let endpoint = endpoint(Fate { looks: 60, ..Fate::default() });
    let world = world(&endpoint);
    let server = Server::start(&world, &["--set", MONTHLY, "--set", "finetune.openai.poll=100ms"]);
    let noted = || world.file("store/tuning/tuned/job.json").exists() && endpoint.jobs() == 1;
    until(LONGEST_RUN, "job", async || noted()).await;
    until(AT_LAST, "gauge", async || server.metric(RUNNING).await == 1.0).await;
    let refresher = server.refresher().await;
    let tuner = children(refresher);
    assert_eq!(tuner.len(), 1, "{tuner:?}");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", tuner[0])).unwrap();
    assert_eq!(super::refresher::niceness(&stat), 19, "{stat}");
    send_signal(refresher, Signal::KILL);
    until(AT_LAST, "end of the tuner", async || !is_running(tuner[0])).await;
    let seen = tuned(&server).await;
    assert_eq!((seen.last().unwrap().state(), seen.last().unwrap().model), (State::Held, 1), "{seen:#?}");
    assert_eq!((endpoint.jobs(), server.version().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tuned_is_told_once_while_refreshes_go_on() {
    let endpoint = endpoint(Fate::default());
    let world = world(&endpoint);
    let server = Server::start(&world, &["--set", MONTHLY, "--set", "finetune.openai.model="]);
    let seen = tuned(&server).await;
    let last = seen.last().unwrap();
    assert_eq!((last.state(), last.model), (State::Failed, 0), "{seen:#?}");
    assert!(last.says.starts_with("[finetune] openai.model = \"\": name the base model"), "{seen:#?}");
    until(AT_LAST, "outcome", async || server.metric(FAILED).await == 1.0).await;
    server.says("no model was tuned, and the one that is asked stays: [finetune] openai.model").await;
    world.add_day(18);
    server.operations().await.refresh(RefreshRequest::default()).await.unwrap();
    until(LONGEST_RUN, "second version", async || server.version().await == 2).await;
    assert_eq!(server.log().matches("no model was tuned, and").count(), 1, "{}", server.log());
    assert_eq!((endpoint.jobs(), world.json(&["models", "list"])), (0, json!([])));
    // What was drawn stays for the next try.
    assert!(world.file("store/tuning/samples/manifest.json").exists());
}
