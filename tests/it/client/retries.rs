//! What is tried again, when, and for how long.

use std::time::{Duration, Instant};

use segue::client::{Client, Config, Error};
use segue::proto::LookupRequest;
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::scripted::Scripted;
use crate::serve::harness::start_with;

/// Far more than any of these takes that does not wait on purpose.
const SOON: Duration = Duration::from_secs(5);

fn config() -> Config {
    Config { timeout: Duration::from_secs(20), backoff: Duration::from_millis(2), ..Config::default() }
}

fn away() -> Status {
    Status::unavailable("away for a moment")
}

fn away_for(pause: Duration) -> Status {
    Status::with_error_details(Code::Unavailable, "away", ErrorDetails::with_retry_info(Some(pause)))
}

async fn ask(client: &Client) -> Result<u64, Error> {
    client.lookup(LookupRequest::default()).await.map(|answer| answer.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_asked_again() {
    let server = Scripted::refusing([away(), away(), away()]);
    let client = server.client(config()).await;
    assert_eq!(ask(&client).await.unwrap(), 7);
    let timeouts = server.timeouts();
    assert_eq!(timeouts.len(), 4);
    assert!(timeouts.is_sorted_by(|before, after| before > after), "{timeouts:?}");
    assert!(timeouts[0] <= Duration::from_secs(20) && timeouts[3] > Duration::from_secs(10), "{timeouts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_bounded() {
    let server = Scripted::refusing(vec![away(); 100]);
    let client = server.client(config()).await;
    let error = ask(&client).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable { attempts: 4, .. }), "{error:?}");
    assert!(error.to_string().contains("cannot answer now, tried 4x: away for a moment"), "{error}");
    assert_eq!(server.timeouts().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_tried_again() {
    let codes = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::ResourceExhausted,
        Code::Internal,
        Code::Unknown,
        Code::Cancelled,
    ];
    for code in codes {
        let server = Scripted::refusing([Status::new(code, "no")]);
        let client = server.client(config()).await;
        let error = ask(&client).await.unwrap_err();
        assert!(matches!(&error, Error::Refused { status } if status.code() == code), "{error:?}");
        assert_eq!(error.to_string(), format!("the server refused with {code:?}: no"));
        assert_eq!(server.timeouts().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_server_asks_for_is_kept() {
    let pause = Duration::from_millis(150);
    let client = Scripted::refusing([away_for(pause)]).client(config()).await;
    let began = Instant::now();
    assert_eq!(ask(&client).await.unwrap(), 7);
    assert!(began.elapsed() >= pause, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_beyond_the_deadline_is_not_begun() {
    let server = Scripted::refusing([away_for(Duration::from_secs(60))]);
    let client = server.client(config()).await;
    let began = Instant::now();
    assert!(matches!(ask(&client).await, Err(Error::Unavailable { attempts: 1, .. })));
    assert!(began.elapsed() < SOON);

    // Our own server asks for a second before its first table.
    let served = start_with(Default::default(), None, false).await;
    let target = format!("http://{}", served.grpc);
    let client = Client::new(&Config { target, timeout: Duration::from_millis(900), ..config() }).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { attempts: 1, .. }), "{error}");
    assert!(error.to_string().contains("no table has been published"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_kept_here_too() {
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", silent.local_addr().unwrap());
    let client = Client::new(&Config { target, ..config() }).unwrap();
    for after in [Duration::ZERO, Duration::from_millis(100)] {
        let began = Instant::now();
        let error = ask(&client.within(after)).await.unwrap_err();
        assert!(matches!(error, Error::Deadline { after: told } if told == after), "{error:?}");
        assert!(began.elapsed() >= after && began.elapsed() < SOON, "{:?}", began.elapsed());
    }
    let several = client.within(Duration::from_millis(50)).lookup_all(vec![LookupRequest::default(); 3]).await;
    assert_eq!(
        several.unwrap_err().to_string(),
        "questions 0 to 2: no answer within 50ms: allow more time, or see what keeps the server busy"
    );
    assert_eq!(Config::default().timeout, Duration::from_secs(1));
    let client = Scripted::default().client(Config { timeout: Duration::MAX, ..config() }).await;
    assert_eq!(ask(&client).await.unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_the_server_tells_of_is_one() {
    let client = Scripted::refusing([Status::deadline_exceeded("too slow")]).client(config()).await;
    assert!(matches!(ask(&client).await, Err(Error::Deadline { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_it_is_told_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let dir = tempfile::tempdir().unwrap();
    for target in [target, format!("unix:{}", dir.path().join("none.sock").display())] {
        let error = ask(&Client::new(&Config { target: target.clone(), ..config() }).unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { attempts: 4, .. }), "{error:?}");
        let error = error.to_string();
        assert!(
            error.starts_with(&format!("no server answers at {target}")) && error.contains("segue serve"),
            "{error}"
        );
        assert!(error.contains("refused") || error.contains("No such file"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_come_after_its_client_and_at_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segue.sock");
    let target = format!("unix:{}", path.display());
    let client = Client::new(&Config { target, attempts: 1000.try_into().unwrap(), ..config() }).unwrap();
    let asked = tokio::spawn(async move { ask(&client).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    Scripted::default().serve_at(&path);
    assert_eq!(asked.await.unwrap().unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_answers_as_questions_are_taken() {
    let client = Scripted::default().client(config()).await;
    let error = client.lookup_all(vec![LookupRequest::default(); 3]).await.unwrap_err();
    assert!(
        matches!(&error, Error::InBatch { questions, error } if *questions == (0..3)
        && matches!(**error, Error::Miscounted { questions: 3, answers: 4 })),
        "{error:?}"
    );
}
