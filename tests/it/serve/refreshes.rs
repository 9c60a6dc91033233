//! Asking for refreshes, and watching them.

use segue::ids::ModelId;
use segue::proto::refresh_event::State;
use segue::proto::{CancelRefreshRequest, RefreshRequest, WatchRefreshRequest};
use segue::serve::{Config, RefreshAction, RefreshCommand, RefreshControl, RefreshRefusal};
use segue::store::run::{RunEvent, RunState, Tuning, TuningState};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tonic::Code;

use super::admin::refused;
use super::errors::problem;
use super::harness::*;

/// Stands in for the owner of the refresher's process: one run at a time, named `r1`.
fn refresher() -> (RefreshControl, watch::Sender<RunEvent>) {
    let (commands, mut asked) = mpsc::channel::<RefreshCommand>(4);
    let (say, events) = watch::channel(RunEvent::default());
    let heard = say.clone();
    tokio::spawn(async move {
        while let Some(RefreshCommand { action, note, answer }) = asked.recv().await {
            let running = heard.borrow().state == RunState::Running;
            let run = || "r1".to_owned();
            let reply = match action {
                RefreshAction::Start if running => Err(RefreshRefusal::UnderWay { run: run() }),
                RefreshAction::Cancel if !running => Err(RefreshRefusal::NoneUnderWay),
                RefreshAction::Start => {
                    let message = format!("{}: {}", note.who, note.why);
                    heard.send_replace(RunEvent {
                        run: run(),
                        state: RunState::Running,
                        message,
                        ..Default::default()
                    });
                    Ok(run())
                }
                RefreshAction::Cancel => {
                    heard.send_replace(RunEvent { run: run(), state: RunState::Cancelled, ..Default::default() });
                    Ok(run())
                }
            };
            answer.send(reply).unwrap();
        }
    });
    (RefreshControl { commands, events }, say)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_is_asked_for_watched_and_cancelled() {
    let (control, say) = refresher();
    let served = start_with(Config::default(), Some(control), true).await;
    let mut admin = served.operations().await;
    let mut events = admin.watch_refresh(WatchRefreshRequest {}).await.unwrap().into_inner();
    let mut next = async || events.next().await.unwrap().unwrap();
    assert_eq!(next().await.state(), State::Idle);
    let none = admin.cancel_refresh(CancelRefreshRequest::default()).await.unwrap_err();
    refused(&none, Code::FailedPrecondition, "NO_REFRESH_UNDER_WAY");

    let wordy = RefreshRequest { who: "ada".into(), why: "x".repeat(5000) };
    refused(&admin.refresh(wordy).await.unwrap_err(), Code::InvalidArgument, "NOTE_TOO_LONG");
    let asked = RefreshRequest { who: "ada".into(), why: "new log".into() };
    assert_eq!(admin.refresh(asked.clone()).await.unwrap().into_inner().run, "r1");
    let event = next().await;
    assert_eq!((event.state(), event.run.as_str(), event.message.as_str()), (State::Running, "r1", "ada: new log"));
    refused(&admin.refresh(asked).await.unwrap_err(), Code::Aborted, "REFRESH_UNDER_WAY");
    problem(post(served.admin, "/admin/v1/refresh", "{}").await, 409, "refresh_under_way", "");
    assert_eq!(get(served.admin, "/admin/v1/refresh").await.json()["state"], "running");

    // Nobody reads meanwhile: the watcher skips to the newest, and whoever speaks is not held up.
    for done in 1..=1000 {
        say.send_replace(RunEvent {
            run: "r1".into(),
            state: RunState::Running,
            done,
            total: 1000,
            ..Default::default()
        });
    }
    let mut seen = vec![next().await.done];
    while seen.last() != Some(&1000) {
        seen.push(next().await.done);
    }
    assert!(seen.is_sorted() && seen.len() < 1000, "{} events", seen.len());

    let ended = post(served.admin, "/admin/v1/refresh:cancel", json!({"who": "ada"})).await.json();
    assert_eq!(ended, json!({"run": "r1"}));
    assert_eq!(next().await.state(), State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_events_come_over_http_too() {
    let (control, say) = refresher();
    let served = start_with(Config::default(), Some(control), true).await;
    let mut stream = TcpStream::connect(served.admin).await.unwrap();
    let head = format!("GET /admin/v1/refresh/events HTTP/1.1\r\nhost: {}\r\n\r\n", served.admin);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = read_until(&mut stream, r#""state":"idle""#).await;
    assert!(text.contains("text/event-stream"), "{text}");
    let tuning = Some(Tuning { state: TuningState::Held, says: "m1 is held".into(), model: Some(ModelId(1)) });
    say.send_replace(RunEvent { state: RunState::Failed, step: "count".into(), tuning, ..Default::default() });
    text = read_until(&mut stream, r#""tuning":{"state":"held","says":"m1 is held","model":1}"#).await;
    assert!(text.contains(r#""state":"failed","step":"count""#) && text.contains("data: {"), "{text}");
}

async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream ended without `{wanted}`: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresher_that_is_gone_is_told() {
    let (commands, events) = (mpsc::channel(1).0, watch::channel(RunEvent::default()).1);
    let served = start_with(Config::default(), Some(RefreshControl { commands, events }), true).await;
    let status = served.operations().await.refresh(RefreshRequest::default()).await.unwrap_err();
    refused(&status, Code::Unavailable, "REFRESHER_GONE");
}
