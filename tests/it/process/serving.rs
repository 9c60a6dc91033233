//! A server and the world around it: readiness, what other processes publish, what callers are told.

use rustix::process::Signal;
use segue::proto::{ReloadRequest, SetBlocklistRequest};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::harness::World;
use super::server::{SOON, Server, until};
use crate::serve::harness::{clusters, connect, get, post};

/// `grpc.health.v1` for lookups: 1 is SERVING, 2 NOT_SERVING.
async fn health(server: &Server) -> i32 {
    let mut client = HealthClient::new(connect(server.grpc).await);
    let request = HealthCheckRequest { service: "segue.v1.LookupService".into() };
    client.check(request).await.unwrap().into_inner().status
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_for_the_first_table_which_another_process_publishes() {
    let world = World::simulated(2);
    let server = Server::start(&world, &["--no-refresher"]);
    assert_eq!(get(server.http, "/livez").await.status, 200);
    let answer = get(server.http, "/readyz").await;
    assert_eq!((answer.status, answer.header("content-type")), (503, "application/problem+json"), "{answer:?}");
    assert_eq!(health(&server).await, 2);
    assert_eq!(server.ask(&[3], 1).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(post(server.http, "/v1/lookup", r#"{"history": [3]}"#).await.status, 503);
    world
        .run(&["lookup", "3", "--set", &format!("serve.grpc_addr={}", server.grpc)])
        .refused(&["no table has been published"]);

    assert_eq!(world.refresh(), 1);
    let took = server.serves(1).await;
    assert!(took < SOON, "{took:?}");
    until(SOON, "readiness", async || get(server.http, "/readyz").await.status == 200).await;
    until(SOON, "health", async || health(&server).await == 1).await;
    server.says("ready: the first table is live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_moves_is_seen_within_a_second() {
    let world = World::simulated(2);
    world.refresh();
    let server = Server::start(&world, &["--no-refresher"]);
    server.serves(1).await;
    world.add_day(2);
    assert_eq!(world.refresh(), 2);
    let took = server.serves(2).await;
    assert!(took < SOON, "publish: {took:?}");
    world.text(&["versions", "rollback"]);
    let took = server.serves(1).await;
    assert!(took < SOON, "rollback: {took:?}");

    let offline = world.json(&["lookup", "--offline", "3", "5", "--limit", "8"]);
    let online = world.json(&["lookup", "--addr", &server.grpc.to_string(), "3", "5", "--limit", "8"]);
    assert_eq!(online, offline, "a server answers as the store does");
    let first = offline["predictions"][0]["cluster"].as_u64().unwrap() as u32;
    let request = SetBlocklistRequest { clusters: vec![first], ..Default::default() };
    server.operations().await.set_blocklist(request).await.unwrap();
    assert!(!clusters(&server.ask(&[3, 5], 8).await.unwrap()).contains(&first));
    let offline = world.json(&["lookup", "--offline", "3", "5", "--limit", "8"]);
    assert_ne!(offline["predictions"][0]["cluster"], first, "the blocklist binds offline too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_and_so_does_a_call() {
    let world = World::simulated(1);
    world.refresh();
    let server = Server::start(&world, &["--no-refresher", "--set", "serve.poll=1h"]);
    // The first thing that it hears may be a hangup.
    server.process.signal(Signal::HUP);
    server.serves(1).await;
    world.add_day(1);
    world.refresh();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(server.version().await, 1, "it is told by nobody yet");
    server.process.signal(Signal::HUP);
    assert!(server.serves(2).await < SOON);
    server.says("SIGHUP: the store was read").await;
    world.text(&["versions", "rollback"]);
    let told = server.operations().await.reload(ReloadRequest {}).await.unwrap().into_inner();
    assert_eq!((told.channels[0].version, told.refused), (1, Vec::<String>::new()));
    assert_eq!(server.version().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_cut_off_overwritten_or_deleted_below_a_server_change_nothing() {
    let world = World::simulated(2);
    world.refresh();
    let server = Server::start(&world, &["--no-refresher"]);
    server.serves(1).await;
    let before = server.ask(&[3, 5], 8).await.unwrap();
    let table = world.file("store/versions/1/table.segue");
    std::fs::File::options().write(true).open(&table).unwrap().set_len(100).unwrap();
    assert_eq!(server.ask(&[3, 5], 8).await.unwrap(), before);
    std::fs::write(&table, vec![7; 1 << 20]).unwrap();
    assert_eq!(server.ask(&[3, 5], 8).await.unwrap(), before);
    std::fs::remove_dir_all(world.file("store/versions/1")).unwrap();
    assert_eq!(server.ask(&[3, 5], 8).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_version_is_refused_and_counted_and_the_live_one_stays() {
    let world = World::simulated(1);
    world.refresh();
    world.add_day(1);
    world.refresh();
    world.text(&["versions", "rollback"]);
    let server = Server::start(&world, &["--no-refresher"]);
    server.serves(1).await;
    // Published by a process that never looked at the file, as a bad copy between machines would be.
    let table = world.file("store/versions/2/table.segue");
    world.text(&["versions", "publish", "v2"]);
    server.serves(2).await;
    world.text(&["versions", "rollback"]);
    server.serves(1).await;
    std::fs::File::options().write(true).open(&table).unwrap().set_len(5000).unwrap();
    let moved = world.read("store/channels/main/4.json").replace("\"seq\": 4", "\"seq\": 6");
    world.write("store/channels/main/6.json", &moved);
    let told = server.operations().await.reload(ReloadRequest {}).await.unwrap().into_inner();
    assert!(told.refused[0].contains("v2") && told.refused[0].contains("cut off"), "{:?}", told.refused);
    assert_eq!(server.version().await, 1);
    assert!(server.metric("segue_swap_refused_total").await >= 1.0);
    server.says("refused; what is live stays").await;
}
