//! What a call's head may say.

use axum::http::Method;
use tonic::Code;

use super::call::{BATCH_LOOKUP, LOOKUP, Outcome, head};
use super::message::{answered, question};
use super::peer::{Peer, check};
use super::wire::Wire;

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_serves_is_not_implemented() {
    let paths = [
        "/segue.v1.LookupService/Nope",
        "/segue.v1.LookupService/lookup",
        "/segue.v1.LookupService/Lookup/",
        "/segue.v1.LookupService//Lookup",
        "/segue.v1.LookupService/",
        "/segue.v1.LookupService",
        "/segue.v1.AdminService/ListVersions",
        "/nobody.v1.Nothing/Ask",
        "/",
    ];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for path in paths {
            outcomes.push(wire.ask(path, question()).await);
        }
        outcomes
    };
    check(scenario, vec![Outcome::failed(Code::Unimplemented); paths.len()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_not_part_of_the_path() {
    let scenario =
        async |peer: Peer| Wire::connect(peer.addr).await.ask(&format!("{LOOKUP}?trace=1"), question()).await;
    check(scenario, answered()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_types() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for content_type in ["application/grpc", "application/grpc+proto", "application/json", "text/plain", ""] {
            outcomes.push(wire.ask_with(head(LOOKUP, &[("content-type", content_type)]), question()).await);
        }
        let mut bare = head(LOOKUP, &[]);
        bare.headers_mut().remove("content-type");
        outcomes.push(wire.ask_with(bare, question()).await);
        outcomes
    };
    check(scenario, vec![answered(); 6]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods() {
    let methods = [Method::POST, Method::GET, Method::PUT, Method::OPTIONS];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for method in &methods {
            let mut head = head(LOOKUP, &[]);
            *head.method_mut() = method.clone();
            outcomes.push(wire.ask_with(head, question()).await);
        }
        outcomes
    };
    check(scenario, vec![answered(); methods.len()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_matter() {
    let long = "x".repeat(4000);
    let heads = [
        head(LOOKUP, &[("grpc-accept-encoding", "gzip,zstd,identity")]),
        head(LOOKUP, &[("x-tenant", "one"), ("trace-bin", "AAECAw"), ("user-agent", "grpc-go/1.80.0")]),
        head(LOOKUP, &[("x-long", &long)]),
        head(LOOKUP, &[("content-length", &question().len().to_string())]),
        {
            let mut head = head(LOOKUP, &[]);
            head.headers_mut().remove("te");
            head
        },
    ];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for head in &heads {
            outcomes.push(wire.ask_with(head.clone(), question()).await);
        }
        outcomes
    };
    check(scenario, vec![answered(); heads.len()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_length_that_is_not_true_resets_the_call() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let short = wire.ask_with(head(LOOKUP, &[("content-length", "3")]), question()).await;
        let long = wire.ask_with(head(LOOKUP, &[("content-length", "300")]), question()).await;
        [short, long, wire.ask(BATCH_LOOKUP, [0; 5]).await]
    };
    let reset = Outcome::Reset(h2::Reason::PROTOCOL_ERROR);
    check(scenario, [reset.clone(), reset, Outcome::answered(())]).await;
}
