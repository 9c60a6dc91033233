//! The end of a server: what is in work is answered, what is silent does not hold it up.

use std::time::{Duration, Instant};

use segue::proto::WatchRefreshRequest;
use segue::serve::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::harness::*;

/// Far longer than a drain that nothing holds up takes.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_idle_connections_do_not_hold_up_the_drain() {
    let served = start().await;
    let mut silent = Vec::new();
    for addr in [served.http, served.grpc, served.admin] {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    let mut idle = served.lookups().await;
    idle.lookup(lookup(&[3, 0], 1)).await.unwrap();
    let (http, began) = (served.http, Instant::now());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(served.stop().await.unwrap().cut, 0);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(TcpStream::connect(http).await.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_are_ended_with_the_reason() {
    let (_refresher, events) = tokio::sync::watch::channel(Default::default());
    let control = segue::serve::RefreshControl { commands: mpsc::channel(1).0, events };
    let served = start_with(Config::default(), Some(control), true).await;
    let (questions, asked) = mpsc::channel(4);
    let mut answers = served.lookups().await.stream_lookup(ReceiverStream::new(asked)).await.unwrap().into_inner();
    let mut events = served.operations().await.watch_refresh(WatchRefreshRequest {}).await.unwrap().into_inner();
    assert!(events.next().await.unwrap().is_ok());
    questions.send(lookup(&[3, 0], 1)).await.unwrap();
    assert!(answers.next().await.unwrap().is_ok());

    let began = Instant::now();
    let drained = served.stop();
    for status in [answers.next().await.unwrap().unwrap_err(), events.next().await.unwrap().unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().contains("shutting down"), "{status}");
    }
    assert_eq!(drained.await.unwrap().cut, 0);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// A lookup whose body has not come whole yet, and its connection.
async fn half_asked(addr: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "POST /v1/lookup HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n"
    );
    stream.write_all(format!("{head}{{\"history\":").as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_work_is_answered() {
    let config = Config { timeout: Duration::from_secs(60), ..Config::default() };
    let served = start_with(config, None, true).await;
    let mut asking = half_asked(served.http).await;
    served.counted(r#"segue_in_flight_requests{api="http"} 2"#).await;
    let http = served.http;
    let drained = served.stop();
    while TcpStream::connect(http).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asking.write_all(b" [3, 0]}").await.unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""cluster":25"#), "{answer}");
    assert_eq!(drained.await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_is_hard() {
    let (timeout, drain) = (Duration::from_secs(60), Duration::from_millis(300));
    let served = start_with(Config { timeout, drain, ..Config::default() }, None, true).await;
    let mut asking = half_asked(served.http).await;
    served.counted(r#"segue_in_flight_requests{api="http"} 2"#).await;
    let began = Instant::now();
    assert_eq!(served.stop().await.unwrap().cut, 1);
    assert!(began.elapsed() >= drain && began.elapsed() < SOON, "{:?}", began.elapsed());
    let mut rest = Vec::new();
    let _ = asking.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "the connection was cut without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_head_waits_no_longer_than_the_deadline() {
    let drain = Duration::from_millis(300);
    let served = start_with(Config { drain, ..Config::default() }, None, true).await;
    let mut hesitant = TcpStream::connect(served.http).await.unwrap();
    hesitant.write_all(b"GET /live").await.unwrap();
    let mut preface = TcpStream::connect(served.grpc).await.unwrap();
    preface.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    served.stop().await.unwrap();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}
