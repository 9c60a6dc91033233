//! The refresher as a process: small, replaceable, and no business of lookups.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use segue::proto::RefreshRequest;
use segue::proto::refresh_event::State;
use tonic::Code;

use super::harness::{World, send_signal};
use super::server::{AT_LAST, SOON, Server, events_until, until};

const CRASHES: &str = "segue_refresher_crashes_total";

async fn serving(args: &[&str]) -> (World, Server) {
    let world = World::simulated(1);
    world.refresh();
    let server = Server::start(&world, args);
    server.serves(1).await;
    (world, server)
}

fn proc_file(pid: u32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

/// The nice value of a thread, from the line that `stat` is.
pub(super) fn niceness(stat: &str) -> i32 {
    let behind_name = stat.rsplit_once(')').unwrap().1;
    behind_name.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresher_makes_itself_small() {
    let (_world, server) = serving(&["--set", "refresh.memory_limit=4GiB"]).await;
    let child = server.refresher().await;
    until(SOON, "small child", async || proc_file(child, "oom_score_adj").trim() == "1000").await;
    let limits = proc_file(child, "limits");
    let data = limits.lines().find(|line| line.starts_with("Max data size")).unwrap();
    assert_eq!(data.split_whitespace().nth(3).unwrap(), (4_u64 << 30).to_string(), "{limits}");
    // The runtime's threads are started afterwards, and inherit it.
    until(SOON, "threads", async || std::fs::read_dir(format!("/proc/{child}/task")).unwrap().count() > 1).await;
    for task in std::fs::read_dir(format!("/proc/{child}/task")).unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        assert_eq!(niceness(&stat), 19, "{stat}");
    }
    let server_pid = server.process.pid();
    assert_ne!(proc_file(server_pid, "oom_score_adj").trim(), "1000", "the server is as it was");
    assert_eq!(niceness(&proc_file(server_pid, "stat")), niceness(&proc_file(std::process::id(), "stat")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_refresher_is_told_counted_and_started_again_while_lookups_go_on() {
    let (_world, server) = serving(&[]).await;
    let mut events = server.watch().await;
    let first = server.refresher().await;
    let began = Instant::now();
    send_signal(first, Signal::KILL);
    let seen = events_until(&mut events, State::Crashed).await;
    let message = &seen.last().unwrap().message;
    for part in ["the refresher ended (signal: 9", "the live table stays", "started again in 1s"] {
        assert!(message.contains(part), "{message}");
    }
    let away = server.operations().await.refresh(RefreshRequest::default()).await.unwrap_err();
    assert_eq!(away.code(), Code::Unavailable);
    assert!(away.message().contains("started again in 1s"), "{away}");
    assert_eq!(server.metric(CRASHES).await, 1.0);
    assert_eq!(server.version().await, 1, "lookups do not notice");

    events_until(&mut events, State::Idle).await;
    assert!(began.elapsed() >= Duration::from_secs(1), "it waits before it starts again");
    let second = server.refresher().await;
    assert_ne!(second, first);
    send_signal(second, Signal::KILL);
    let seen = events_until(&mut events, State::Crashed).await;
    assert!(seen.last().unwrap().message.contains("started again in 2s"), "{seen:?}");
    assert_eq!(server.metric(CRASHES).await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresher_killed_at_work_loses_nothing() {
    let (world, server) = serving(&[]).await;
    world.add_day(1);
    let mut events = server.watch().await;
    let child = server.refresher().await;
    server.operations().await.refresh(RefreshRequest::default()).await.unwrap();
    events_until(&mut events, State::Running).await;
    send_signal(child, Signal::KILL);
    let seen = events_until(&mut events, State::Crashed).await;
    assert!(!seen.last().unwrap().run.is_empty(), "{seen:#?}");
    assert_eq!(server.metric(r#"segue_refresh_runs_total{outcome="crashed"}"#).await, 1.0);
    assert_eq!(server.version().await, 1);
    until(AT_LAST, "new refresher", async || {
        server.operations().await.refresh(RefreshRequest::default()).await.is_ok()
    })
    .await;
    events_until(&mut events, State::Published).await;
    server.serves(2).await;
    world.text(&["versions", "gc"]);
    assert_eq!(std::fs::read_dir(world.file("store/drafts")).unwrap().count(), 0, "what was half built is swept");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_refresher_there_is_no_child_and_asking_says_so() {
    let (_world, server) = serving(&["--no-refresher"]).await;
    assert_eq!(server.children(), [0; 0]);
    let refused = server.operations().await.refresh(RefreshRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
}
