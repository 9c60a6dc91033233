//! The embedded refresher's runs: on schedule, on demand, watched, one at a time, cancelled, failed and recovered.

use segue::proto::refresh_event::State;
use segue::proto::{CancelRefreshRequest, RefreshEvent, RefreshRequest, RefreshResponse};
use serde_json::json;
use tonic::{Code, Status};

use super::harness::World;
use super::server::{AT_LAST, SOON, Server, events_until, until};
use crate::serve::harness::{get, post};

const PUBLISHED: &str = r#"segue_refresh_runs_total{outcome="published"}"#;
const HELD: &str = r#"segue_refresh_runs_total{outcome="held"}"#;
const FAILED: &str = r#"segue_refresh_runs_total{outcome="failed"}"#;

async fn refresh(server: &Server) -> Result<RefreshResponse, Status> {
    let request = RefreshRequest { who: "ada".into(), why: "new log".into() };
    Ok(server.operations().await.refresh(request).await?.into_inner())
}

async fn cancel(server: &Server) -> Result<String, Status> {
    let request = CancelRefreshRequest { who: "ada".into(), why: "too slow".into() };
    Ok(server.operations().await.cancel_refresh(request).await?.into_inner().run)
}

/// Puts a pipe that nobody writes to where the clusters file was, so that the next run hangs in its first step.
fn hang(world: &World) {
    std::fs::rename(world.file("clusters.csv"), world.file("clusters.aside")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, world.file("clusters.csv"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn unhang(world: &World) {
    std::fs::rename(world.file("clusters.aside"), world.file("clusters.csv")).unwrap();
}

/// Steps in order, each once; a watcher may miss some.
fn steps(events: &[RefreshEvent]) -> Vec<&str> {
    let mut steps: Vec<&str> = events.iter().map(|event| event.step.as_str()).filter(|step| !step.is_empty()).collect();
    steps.dedup();
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_picks_up_new_days() {
    let world = World::simulated(1);
    let policy = r#"refresh.policy={fixed={every="1s"}}"#;
    let server = Server::start(&world, &["--set", policy, "--set", "store.keep=1"]);
    server.serves(1).await;
    for day in 1..3 {
        world.add_day(day);
        server.serves(u64::from(day) + 1).await;
    }
    until(AT_LAST, "idle run", async || {
        server.metric(r#"segue_refresh_runs_total{outcome="nothing_to_do"}"#).await >= 1.0
    })
    .await;
    // The server may see a version before it hears that the run is over.
    until(AT_LAST, "third publish", async || server.metric(PUBLISHED).await == 3.0).await;
    let kept = world.json(&["versions", "list"]);
    let kept: Vec<_> = kept.as_array().unwrap().iter().map(|row| &row["manifest"]["version"]).collect();
    assert_eq!(kept, [3, 2], "the live one and the one to roll back to; a refresh removes the rest");
    let moves = world.json(&["versions", "moves"]);
    assert_eq!((&moves[0]["who"], moves.as_array().unwrap().len()), (&json!("schedule"), 3), "{moves}");
    let planned = async || server.metric("segue_refresh_next_timestamp_seconds").await > 1.7e9;
    until(AT_LAST, "next run", planned).await;
    assert!(server.metric("segue_refresh_last_success_timestamp_seconds").await > 1.7e9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_asked_for_and_watched_from_step_to_step() {
    let world = World::simulated(2);
    let server = Server::start(&world, &[]);
    let mut events = server.watch().await;
    assert_eq!(events_until(&mut events, State::Idle).await.len(), 1, "nothing runs by itself");
    let run = refresh(&server).await.unwrap().run;
    let seen = events_until(&mut events, State::Published).await;
    // A refresher that has just started may still say so.
    let since = seen.iter().position(|event| event.state() != State::Idle).unwrap();
    let (last, under_way) = seen[since..].split_last().unwrap();
    assert!(under_way.iter().all(|event| event.state() == State::Running && event.run == run), "{seen:#?}");
    assert_eq!((last.run.as_str(), last.version, last.next), (run.as_str(), 1, None));
    let order = ["input", "count", "judge", "publish"];
    let places: Vec<_> =
        steps(&seen).iter().map(|step| order.iter().position(|known| known == step).unwrap()).collect();
    assert!(places.is_sorted() && !places.is_empty(), "{seen:#?}");
    assert!(under_way.iter().all(|event| event.done <= event.total), "{seen:#?}");
    server.serves(1).await;
    let moves = world.json(&["versions", "moves"]);
    assert_eq!((&moves[0]["who"], &moves[0]["why"]), (&json!("ada"), &json!("new log")));

    let again = refresh(&server).await.unwrap().run;
    assert_ne!(again, run);
    let seen = events_until(&mut events, State::NothingToDo).await;
    assert!(seen.last().unwrap().message.contains("v1 already holds this log"), "{seen:#?}");
    assert_eq!((server.metric(PUBLISHED).await, server.metric("segue_refresh_running").await), (1.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_run_is_told_and_counted_and_the_live_table_stays() {
    let world = World::simulated(2);
    world.refresh();
    world.add_day(2);
    let gate = ["--set", "evaluation.recall.min_positions=1", "--set", "evaluation.recall.min=1"];
    let server = Server::start(&world, &gate);
    server.serves(1).await;
    let mut events = server.watch().await;
    refresh(&server).await.unwrap();
    let seen = events_until(&mut events, State::Held).await;
    let held = seen.last().unwrap();
    assert_eq!((held.version, held.step.as_str()), (2, "publish"), "{seen:#?}");
    assert!(held.message.contains("v2 is held: recall: "), "{seen:#?}");
    until(SOON, "outcome", async || server.metric(HELD).await == 1.0).await;
    server.serves(1).await;

    let approval = json!({"who": "ada", "why": "recall of 1 is too much to ask"});
    let version = post(server.admin, "/admin/v1/versions/2:approve", approval).await.json();
    assert_eq!((&version["state"], version["judgements"].as_array().unwrap().len()), (&json!("approved"), 2));
    post(server.admin, "/admin/v1/channels/main:publish", json!({"version": 2})).await;
    server.serves(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_at_a_time_and_a_cancelled_one_leaves_the_live_table() {
    let world = World::simulated(1);
    world.refresh();
    let server = Server::start(&world, &[]);
    server.serves(1).await;
    let mut events = server.watch().await;
    assert_eq!(cancel(&server).await.unwrap_err().code(), Code::FailedPrecondition);

    world.add_day(1);
    hang(&world);
    let run = refresh(&server).await.unwrap().run;
    events_until(&mut events, State::Running).await;
    let refused = refresh(&server).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted);
    assert!(refused.message().contains(&run), "{refused}");
    assert_eq!(post(server.admin, "/admin/v1/refresh", "{}").await.status, 409);
    // The run holds the store's lock as soon as its first step is told.
    until(SOON, "first step", async || {
        let told = get(server.admin, "/admin/v1/refresh").await;
        told.status != 200 || told.json()["step"] == "input"
    })
    .await;
    world.run(&["refresh"]).refused(&["another refresh of this store is under way", "refresh.lock", "cancel it"]);
    assert_eq!(server.metric("segue_refresh_running").await, 1.0);

    assert_eq!(cancel(&server).await.unwrap(), run);
    let seen = events_until(&mut events, State::Cancelled).await;
    let last = seen.last().unwrap();
    assert_eq!(last.run, run);
    assert!(last.message.contains("cancelled by ada: too slow"), "{last:?}");
    assert_eq!(server.metric(r#"segue_refresh_runs_total{outcome="cancelled"}"#).await, 1.0);
    assert_eq!(server.metric(r#"segue_refresh_failed_steps_total{step="input"}"#).await, 0.0, "it did not fail");
    assert_eq!(server.version().await, 1);

    unhang(&world);
    until(AT_LAST, "new refresher", async || refresh(&server).await.is_ok()).await;
    events_until(&mut events, State::Published).await;
    server.serves(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_of_the_schedule_begins_no_other_at_once() {
    let world = World::simulated(1);
    hang(&world);
    let server = Server::start(&world, &["--set", r#"refresh.policy={fixed={every="1d"}}"#]);
    let mut events = server.watch().await;
    events_until(&mut events, State::Running).await;
    cancel(&server).await.unwrap();
    events_until(&mut events, State::Cancelled).await;
    let told = async || get(server.admin, "/admin/v1/refresh").await.json();
    until(AT_LAST, "new refresher", async || told().await["next"].is_string()).await;
    let next: chrono::DateTime<chrono::Utc> = told().await["next"].as_str().unwrap().parse().unwrap();
    assert!(next - chrono::Utc::now() > chrono::TimeDelta::hours(23), "{next}");
    assert_eq!(told().await["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_step_is_told_and_counted_and_a_later_run_recovers() {
    let world = World::simulated(1);
    world.refresh();
    let server = Server::start(&world, &[]);
    server.serves(1).await;
    let mut events = server.watch().await;
    let log = world.file("log/date=2026-01-01/part-0.parquet");
    let sound = std::fs::read(&log).unwrap();
    std::fs::write(&log, "garbage").unwrap();
    refresh(&server).await.unwrap();
    let seen = events_until(&mut events, State::Failed).await;
    let last = seen.last().unwrap();
    assert_eq!((last.step.as_str(), last.version), ("input", 0), "{last:?}");
    assert!(last.message.contains("date=2026-01-01/part-0.parquet is not a readable Parquet file"), "{last:?}");
    assert_eq!(server.metric(FAILED).await, 1.0);
    assert_eq!(server.metric(r#"segue_refresh_failed_steps_total{step="input"}"#).await, 1.0);
    server.says("refresh failed: ").await;
    assert_eq!(server.version().await, 1);

    std::fs::write(&log, sound).unwrap();
    world.add_day(1);
    refresh(&server).await.unwrap();
    events_until(&mut events, State::Published).await;
    server.serves(2).await;
    assert_eq!(server.metric(FAILED).await, 1.0);
}
