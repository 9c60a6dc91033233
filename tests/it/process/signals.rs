//! How a server ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::harness::{World, is_running};
use super::server::{AT_LAST, SOON, Server, until};
use crate::serve::harness::lookup;

async fn serving(args: &[&str]) -> (World, Server) {
    let world = World::simulated(1);
    world.refresh();
    let server = Server::start(&world, args);
    server.serves(1).await;
    (world, server)
}

/// A request whose body has not come whole yet.
fn half_asked(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.set_read_timeout(Some(AT_LAST)).unwrap();
    let head = "POST /v1/lookup HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    stream.write_all(format!("{head}content-length: 16\r\n\r\n{{\"hist").as_bytes()).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sigterm_drains() {
    let (_world, mut server) = serving(&[]).await;
    let child = server.refresher().await;
    let _silent = TcpStream::connect(server.grpc).unwrap();
    let (questions, asked) = mpsc::channel(1);
    let mut answers = server.lookups().await.stream_lookup(ReceiverStream::new(asked)).await.unwrap().into_inner();
    questions.send(lookup(&[3], 1)).await.unwrap();
    assert!(answers.message().await.unwrap().is_some());

    let began = Instant::now();
    server.process.signal(Signal::TERM);
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Unavailable, "the stream is ended with a reason");
    let status = server.process.ends_within(AT_LAST);
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(began.elapsed() < SOON, "{:?}: nothing was in work", began.elapsed());
    server.says("SIGTERM: draining").await;
    until(SOON, "end of the child", async || !is_running(child)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_work_is_waited_for_until_the_deadline() {
    let args = ["--no-refresher", "--set", "serve.drain=1s", "--set", "serve.timeout=60s"];
    let (_world, mut server) = serving(&args).await;
    let mut slow = half_asked(&server);
    let in_work = r#"segue_in_flight_requests{api="http"}"#;
    until(SOON, "call in work", async || server.metric(in_work).await >= 2.0).await;
    let began = Instant::now();
    server.process.signal(Signal::INT);
    let status = server.process.ends_within(AT_LAST);
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(1) + SOON, "{took:?}");
    server.says("drained; connections were cut at the end of serve.drain cut=1").await;
    let mut rest = String::new();
    // Reset or closed: either way no answer.
    let _ = slow.read_to_string(&mut rest);
    assert_eq!(rest, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_does_not_wait() {
    let args = ["--set", "serve.drain=60s", "--set", "serve.timeout=60s"];
    let (_world, mut server) = serving(&args).await;
    let child = server.refresher().await;
    let _slow = half_asked(&server);
    let in_work = r#"segue_in_flight_requests{api="http"}"#;
    until(SOON, "call in work", async || server.metric(in_work).await >= 2.0).await;
    server.process.signal(Signal::TERM);
    server.says("draining").await;
    assert!(server.process.0.try_wait().unwrap().is_none(), "it waits for the call in work");
    server.process.signal(Signal::TERM);
    let status = server.process.ends_within(SOON);
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    until(SOON, "end of the child", async || !is_running(child)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresher_does_not_outlive_a_killed_server() {
    let (_world, mut server) = serving(&[]).await;
    let child = server.refresher().await;
    server.process.signal(Signal::KILL);
    assert_eq!(server.process.ends_within(AT_LAST).signal(), Some(9));
    until(SOON, "end of the child", async || !is_running(child)).await;
}
