//! Calls that end before they are whole: deadlines, resets, trailers out of place.

use std::time::Duration;

use axum::http::HeaderMap;
use h2::Reason;
use segue::serve::Config;
use tonic::Code;

use super::call::{BATCH_LOOKUP, LOOKUP, Outcome, head};
use super::frame::{HEADERS, RST_STREAM};
use super::message::{Fields, answered, question};
use super::peer::{Peer, check, check_each, config, peers};
use super::wire::{Tap, Wire};
use crate::serve::harness::start_with;

/// tonic says CANCELLED where gRPC's own implementations say DEADLINE_EXCEEDED, as we do.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_meets_its_callers_deadline() {
    let batch = Fields::default().bytes(1, &question()[5..]).framed();
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for (path, message) in [(LOOKUP, question()), (BATCH_LOOKUP, batch.clone())] {
            for (timeout, len) in [("50m", 0), ("50m", 3), ("50000u", 8), ("50m", message.len()), ("0n", 8)] {
                let mut call = wire.begin(head(path, &[("grpc-timeout", timeout)])).await;
                call.send(&message[..len], false);
                outcomes.push(call.outcome().await);
            }
        }
        outcomes.push(wire.ask(LOOKUP, question()).await);
        outcomes
    };
    let outcomes = |code| [vec![Outcome::failed(code); 10], vec![answered()]].concat();
    check_each(scenario, outcomes(Code::DeadlineExceeded), outcomes(Code::Cancelled)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_meets_the_servers_deadline() {
    for (peer, code) in peers(Config { timeout: Duration::from_millis(100), ..config() })
        .await
        .into_iter()
        .zip([Code::DeadlineExceeded, Code::Cancelled])
    {
        let mut wire = Wire::connect(peer.addr).await;
        for headers in [&[][..], &[("grpc-timeout", "1H")], &[("grpc-timeout", "soon")]] {
            let mut call = wire.begin(head(LOOKUP, headers)).await;
            call.send(&question()[..8], false);
            assert_eq!(call.outcome().await, Outcome::failed(code), "{}", peer.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_that_are_kept_or_make_no_sense_change_nothing() {
    let timeouts = ["20S", "99999999H", "soon", "", "-1S", "100000000m", "1.5S"];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for timeout in timeouts {
            outcomes.push(wire.ask_with(head(LOOKUP, &[("grpc-timeout", timeout)]), question()).await);
        }
        outcomes
    };
    check(scenario, vec![answered(); timeouts.len()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_in_the_middle_leaves_the_other_calls_alone() {
    let message = question();
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut other = wire.half_ask(&message[..7]).await;
        for (len, reason) in
            [(0, Reason::CANCEL), (3, Reason::NO_ERROR), (8, Reason::CANCEL), (9, Reason::INTERNAL_ERROR)]
        {
            wire.half_ask(&message[..len]).await.body.send_reset(reason);
        }
        wire.half_ask(&message).await.body.send_reset(Reason::CANCEL);
        other.send(&message[7..], true);
        [other.outcome().await, wire.ask(LOOKUP, &message).await]
    };
    check(scenario, [answered(), answered()]).await;
}

const CANCELLED: &str = r#"segue_requests_total{api="grpc",method="segue.v1.LookupService/Lookup",code="CANCELLED"}"#;

/// Ours alone: tonic counts nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_given_up_is_counted_as_such() {
    let served = start_with(config(), None, true).await;
    let mut wire = Wire::connect(served.grpc).await;
    for len in [0, 3, 8] {
        wire.half_ask(&question()[..len]).await.body.send_reset(Reason::CANCEL);
    }
    served.counted(&format!("{CANCELLED} 3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_given_up_is_counted_as_such() {
    let served = start_with(config(), None, true).await;
    Wire::connect(served.grpc).await.half_ask(question()).await.body.send_reset(Reason::CANCEL);
    served.counted(&format!("{CANCELLED} 1")).await;

    // One that finds no room, and then no reader.
    let client = h2::client::Builder::new().initial_window_size(0).clone();
    let mut wire = Wire::tapped(served.grpc, Tap { client, ..Tap::default() }).await;
    let mut call = wire.begin(head(LOOKUP, &[])).await;
    call.send(question(), true);
    wire.saw(|frame| frame.kind == HEADERS).await;
    call.body.send_reset(Reason::CANCEL);
    served.counted(&format!("{CANCELLED} 2")).await;
    served.counted(r#"segue_in_flight_requests{api="grpc"} 0"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_the_client() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for (sent, trailer) in
            [(&question()[..], "x-done"), (&question(), "grpc-status"), (&question()[..8], "x-done"), (&[], "x-done")]
        {
            let mut call = wire.begin(head(LOOKUP, &[])).await;
            if !sent.is_empty() {
                call.send(sent, false);
            }
            call.body.send_trailers(HeaderMap::from_iter([(trailer.parse().unwrap(), "13".parse().unwrap())])).unwrap();
            outcomes.push(call.outcome().await);
        }
        outcomes
    };
    let cut = Outcome::failed(Code::Internal);
    check(scenario, vec![answered(), answered(), cut.clone(), cut]).await;
}

/// What the client has still to say then is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_early_end_leaves_the_connection_whole() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut call = wire.half_ask([1, 0, 0, 0, 9]).await;
        let seen = wire.saw(|frame| frame.kind == RST_STREAM).await;
        call.send([7; 2000], true);
        let early = call.outcome().await;
        let next = wire.ask(LOOKUP, question()).await;
        (early, seen.payload, next)
    };
    let no_error = 0u32.to_be_bytes();
    check(scenario, (Outcome::failed(Code::Internal), no_error.to_vec().into(), answered())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_end_the_call_and_nothing_else() {
    let cases = [
        (Fields::default().varint(2, 5), Code::InvalidArgument),
        (Fields::default().varint(2, u64::from(u32::MAX)), Code::InvalidArgument),
        (Fields::default().packed(1, &[1; 5000]), Code::InvalidArgument),
        (Fields::default().packed(3, &[1; 5000]), Code::InvalidArgument),
        (Fields::default().bytes(4, "none"), Code::NotFound),
    ];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for (fields, _) in &cases {
            outcomes.push(wire.ask(LOOKUP, fields.framed()).await);
            let batch = Fields::default().bytes(1, "").bytes(1, fields);
            outcomes.push(wire.ask(BATCH_LOOKUP, batch.framed()).await);
        }
        outcomes.push(wire.ask(LOOKUP, question()).await);
        outcomes
    };
    let refused = cases.iter().flat_map(|(_, code)| vec![Outcome::failed(*code); 2]);
    check(scenario, refused.chain([answered()]).collect()).await;
}
