//! gRPC messages in DATA frames: cut anywhere, flagged, too long, too short, too many.

use std::time::Duration;

use prost::Message;
use segue::proto::{LookupRequest, LookupResponse};
use tonic::Code;

use super::call::{Call, LOOKUP, Outcome, head};
use super::message::{Fields, answered, flagged, framed, question};
use super::peer::{Peer, check, check_each, config};
use super::wire::Wire;

/// How a call ends whose body is sent in pieces, and then ended by an empty frame.
async fn in_pieces(wire: &mut Wire, pieces: &[&[u8]]) -> Outcome {
    let mut call = wire.begin(head(LOOKUP, &[])).await;
    call.send_slowly(pieces.iter().copied()).await;
    call.send([], true);
    call.outcome().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_be_cut_anywhere() {
    let message = question();
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = vec![wire.ask(LOOKUP, &message).await];
        outcomes.push(in_pieces(&mut wire, &message.chunks(1).collect::<Vec<_>>()).await);
        for cut in 0..message.len() {
            let (before, after) = message.split_at(cut);
            outcomes.push(in_pieces(&mut wire, &[before, &[], after]).await);
        }
        outcomes
    };
    check(scenario, vec![answered(); message.len() + 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_pieces_may_be_interleaved() {
    let histories: [&[u64]; 4] = [&[3, 0], &[0], &[], &[25, 7, 99]];
    // All of one length, so that they go in step.
    let message = |at: usize| {
        let fields = Fields::default().packed(1, histories[at % 4]).varint(2, 1 + at as u64 % 3);
        fields.clone().padding(12 - fields.as_ref().len()).framed()
    };
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let (mut calls, mut alone): (Vec<Call>, _) = (Vec::new(), Vec::new());
        for at in 0..24 {
            alone.push(wire.ask(LOOKUP, message(at)).await);
            calls.push(wire.begin(head(LOOKUP, &[])).await);
        }
        for byte in 0..message(0).len() {
            calls.iter_mut().enumerate().for_each(|(at, call)| call.send([message(at)[byte]], false));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        calls.iter_mut().rev().for_each(|call| call.send([], true));
        for (call, alone) in calls.into_iter().zip(alone) {
            assert!(matches!(&alone, Outcome::Ended { code: Code::Ok, .. }));
            assert_eq!(call.outcome().await, alone, "{}", peer.name);
        }
    };
    check(scenario, ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_no_bytes_is_a_question_too() {
    let scenario = async |peer: Peer| {
        let outcome = Wire::connect(peer.addr).await.ask(LOOKUP, framed([])).await;
        let Outcome::Ended { code: Code::Ok, messages } = outcome else { panic!("{outcome:?}") };
        let answer = LookupResponse::decode(messages[0].clone()).unwrap();
        (answer.predictions[0].cluster, answer.matched)
    };
    check(scenario, (3, 0)).await;
}

/// What is asked first is answered, if the rest can be read.
#[tokio::test(flavor = "multi_thread")]
async fn several_messages_in_a_unary_call() {
    let other = framed(LookupRequest::default().encode_to_vec());
    let bodies = [
        ([question(), other.clone()].concat(), answered()),
        ([question(), other.clone(), other].concat(), answered()),
        ([question(), framed([0xff])].concat(), Outcome::failed(Code::Internal)),
        ([question(), flagged(1, [])].concat(), Outcome::failed(Code::Internal)),
        ([question(), vec![0]].concat(), Outcome::failed(Code::Internal)),
    ];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for (body, _) in &bodies {
            outcomes.push(wire.ask(LOOKUP, body).await);
            outcomes.push(in_pieces(&mut wire, &body.chunks(1).collect::<Vec<_>>()).await);
        }
        outcomes
    };
    check(scenario, bodies.iter().flat_map(|(_, outcome)| vec![outcome.clone(); 2]).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_too_soon() {
    let message = question();
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for len in 0..message.len() {
            outcomes.push(wire.ask(LOOKUP, &message[..len]).await);
        }
        outcomes
    };
    check(scenario, vec![Outcome::failed(Code::Internal); message.len()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_that_nobody_offered() {
    let body = &question()[5..];
    let cases = [
        (1, None, Outcome::failed(Code::Internal)),
        (2, None, Outcome::failed(Code::Internal)),
        (u8::MAX, None, Outcome::failed(Code::Internal)),
        (0, Some("identity"), answered()),
        (1, Some("identity"), Outcome::failed(Code::Internal)),
        (0, Some("gzip"), Outcome::failed(Code::Unimplemented)),
        (1, Some("gzip"), Outcome::failed(Code::Unimplemented)),
        (1, Some("smoke"), Outcome::failed(Code::Unimplemented)),
    ];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = Vec::new();
        for (flag, encoding, _) in &cases {
            let headers: Vec<_> = encoding.iter().map(|encoding| ("grpc-encoding", *encoding)).collect();
            outcomes.push(wire.ask_with(head(LOOKUP, &headers), flagged(*flag, body)).await);
        }
        outcomes
    };
    check(scenario, cases.iter().map(|(_, _, outcome)| outcome.clone()).collect()).await;
}

/// tonic says OUT_OF_RANGE where gRPC's own implementations say RESOURCE_EXHAUSTED, as we do.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit() {
    let max = config().max_message.0 as usize;
    let fields = Fields::default().packed(1, &[3, 0]).varint(2, 2);
    let whole = |size: usize| fields.clone().padding(size - fields.as_ref().len()).framed();
    // Refused for what their prefix announces, before anything of it has come.
    let announced = |len: u32| [&[0][..], &len.to_be_bytes()].concat();
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut outcomes = vec![wire.ask(LOOKUP, whole(max)).await, wire.ask(LOOKUP, whole(max + 1)).await];
        for len in [max as u32 + 1, u32::MAX] {
            outcomes.push(wire.half_ask(announced(len)).await.outcome().await);
        }
        outcomes.push(wire.ask(LOOKUP, [question(), announced(u32::MAX)].concat()).await);
        // None of it has hurt the connection.
        outcomes.push(wire.ask(LOOKUP, question()).await);
        outcomes
    };
    let outcomes = |code| {
        let refused = Outcome::failed(code);
        vec![answered(), refused.clone(), refused.clone(), refused.clone(), refused, answered()]
    };
    check_each(scenario, outcomes(Code::ResourceExhausted), outcomes(Code::OutOfRange)).await;
}

/// Messages that nobody has a use for, together larger than one may be: tonic drops each as it comes, we gather them.
#[tokio::test(flavor = "multi_thread")]
async fn several_messages_beyond_the_limit_together() {
    let large = Fields::default().padding(config().max_message.0 as usize - 1000).framed();
    let body = [question(), large.clone(), large].concat();
    let scenario = async |peer: Peer| Wire::connect(peer.addr).await.ask(LOOKUP, &body).await;
    check_each(scenario, Outcome::failed(Code::ResourceExhausted), answered()).await;
}
