//! Overload: what is shed, given up, or made to wait.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use segue::serve::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use super::errors::problem;
use super::harness::*;

/// A lookup whose body never comes.
async fn stalled(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "POST /v1/lookup HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_on_top_is_shed_at_once_on_both_ports() {
    let (max_concurrency, timeout) = (NonZeroUsize::MIN, Duration::from_millis(1500));
    let served = start_with(Config { max_concurrency, timeout, ..Config::default() }, None, true).await;
    let mut lookups = served.lookups().await;
    let mut stalled = stalled(served.http).await;
    // Until the stalled call has the only place, these are answered.
    let shed = loop {
        match lookups.lookup(lookup(&[3, 0], 1)).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(status) => break status,
        }
    };
    assert_eq!(shed.code(), Code::ResourceExhausted, "{shed}");
    assert_eq!(shed.get_error_details().error_info().unwrap().reason, "BUSY");
    assert!(shed.get_error_details().retry_info().is_some());
    let answer = post(served.http, "/v1/lookup", "{}").await;
    assert_eq!(answer.header("retry-after"), "1");
    problem(answer, 503, "busy", "");

    let mut given_up = vec![0; 4096];
    let read = stalled.read(&mut given_up).await.unwrap();
    let given_up = String::from_utf8_lossy(&given_up[..read]);
    assert!(given_up.starts_with("HTTP/1.1 504") && given_up.contains("urn:segue:problem:timeout"), "{given_up}");
    assert_eq!(post(served.http, "/v1/lookup", "{}").await.status, 200, "there is room again");
    served.counted("segue_shed_total 2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_their_turn() {
    let config = Config { max_connections: NonZeroUsize::MIN, ..Config::default() };
    let served = start_with(config, None, true).await;
    let first = TcpStream::connect(served.http).await.unwrap();
    let mut second = TcpStream::connect(served.http).await.unwrap();
    second.write_all(format!("GET /livez HTTP/1.1\r\nhost: {}\r\n\r\n", served.http).as_bytes()).await.unwrap();
    let mut buffer = [0; 64];
    let waited = tokio::time::timeout(Duration::from_millis(200), second.read(&mut buffer)).await;
    assert!(waited.is_err(), "the second connection is served beside the first");
    drop(first);
    let read = tokio::time::timeout(Duration::from_secs(5), second.read(&mut buffer)).await.unwrap().unwrap();
    assert!(buffer[..read].starts_with(b"HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_given_up_by_its_client_is_counted_as_such() {
    let served = start().await;
    let mut health = HealthClient::new(connect(served.grpc).await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap();
    served.counted(r#"segue_in_flight_requests{api="grpc"} 1"#).await;
    drop(watch);
    served.counted(r#"segue_in_flight_requests{api="grpc"} 0"#).await;
    let counted = r#"segue_requests_total{api="grpc",method="grpc.health.v1.Health/Watch",code="CANCELLED"} 1"#;
    served.counted(counted).await;
}
