//! What concerns a whole connection: its limits, its end, and frames that say the same in other ways.

use axum::http::HeaderMap;
use h2::Reason;
use segue::serve::Config;

use super::call::{LOOKUP, Outcome, head};
use super::frame::*;
use super::message::{answered, question};
use super::peer::{Peer, check, config, peers};
use super::wire::{Tap, Wire};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_one_after_the_other() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        for call in 0..1000 {
            assert_eq!(wire.ask(LOOKUP, question()).await, answered(), "call {call} of {}", peer.name);
        }
    };
    check(scenario, ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_over_the_limit_are_refused() {
    // The client is not told of the limit.
    let unlimited = |frame: Frame| {
        let told = frame.kind == SETTINGS && !frame.has(ACK);
        let kept = |setting: &&[u8]| !told || setting[..2] != MAX_CONCURRENT_STREAMS.to_be_bytes();
        let size = if told { 6 } else { frame.payload.len().max(1) };
        let payload = frame.payload.chunks(size).filter(kept).flatten().copied().collect::<Vec<u8>>();
        vec![Frame { payload: payload.into(), ..frame }]
    };
    for peer in peers(Config { max_streams: 4.try_into().unwrap(), ..config() }).await {
        let mut wire = Wire::tapped(peer.addr, Tap { down: unlimited, ..Tap::default() }).await;
        let mut calls = Vec::new();
        for _ in 0..4 {
            calls.push(wire.half_ask(&question()[..8]).await);
        }
        let refused = Outcome::Reset(Reason::REFUSED_STREAM);
        for _ in 0..3 {
            assert_eq!(wire.ask(LOOKUP, question()).await, refused, "{}", peer.name);
        }
        for mut call in calls {
            call.send(&question()[8..], true);
            assert_eq!(call.outcome().await, answered(), "{}", peer.name);
        }
        assert_eq!(wire.ask(LOOKUP, question()).await, answered(), "{}", peer.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_and_settings_are_acknowledged_in_mid_call() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        wire.saw(|frame| frame.kind == SETTINGS && frame.has(ACK)).await;
        let mut call = wire.half_ask(&question()[..8]).await;
        wire.inject(&Frame::new(PING, 0, 0, *b"are you?"));
        let pong = wire.saw(|frame| frame.kind == PING && frame.has(ACK) && frame.payload == b"are you?"[..]).await;
        // An answer to what was never asked, and frames of a kind that may come some day, mean nothing.
        wire.inject(&Frame::new(PING, ACK, 0, *b"i am not"));
        wire.inject(&Frame::new(0xbe, 0xff, 0, *b"whatever"));
        wire.inject(&Frame::new(0xbe, 0xff, 1, *b"whatever"));
        call.send(&question()[8..], true);
        (pong.stream, call.outcome().await)
    };
    check(scenario, (0, answered())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_still_answered() {
    let scenario = async |peer: Peer| {
        let mut outcomes = Vec::new();
        for code in [Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
            let mut wire = Wire::connect(peer.addr).await;
            let mut calls = [wire.half_ask(&question()[..8]).await, wire.half_ask([]).await];
            wire.inject(&Frame::goaway(0, code.into()));
            wire.settle().await;
            calls[0].send(&question()[8..], true);
            calls[1].send(question(), true);
            for call in calls {
                outcomes.push(call.outcome().await);
            }
        }
        outcomes.push(Wire::connect(peer.addr).await.ask(LOOKUP, question()).await);
        outcomes
    };
    check(scenario, vec![answered(); 5]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_answers_what_it_has_begun() {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut calls = [wire.half_ask(&question()[..8]).await, wire.half_ask([]).await];
        (peer.stop)();
        let goaway = wire.saw(|frame| frame.kind == GOAWAY).await;
        // Until the client has read it too.
        wire.settle().await;
        let late = wire.ask(LOOKUP, question()).await;
        calls[0].send(&question()[8..], true);
        calls[1].send(question(), true);
        let [first, second] = calls;
        let ends = [first.outcome().await, second.outcome().await, late];
        wire.closed().await;
        (goaway.code(), ends)
    };
    check(scenario, (0, [answered(), answered(), Outcome::Disconnected])).await;
}

/// A head in four pieces, the first of them empty; HPACK does not see where they were cut.
fn continued(frame: Frame) -> Vec<Frame> {
    if frame.kind != HEADERS {
        return vec![frame];
    }
    let (first, rest) = frame.payload.split_at(1);
    let (second, third) = rest.split_at(rest.len() / 2);
    let piece = |flags, payload: &[u8]| Frame::new(CONTINUATION, flags, frame.stream, payload);
    let head = Frame::new(HEADERS, frame.flags & !END_HEADERS, frame.stream, []);
    vec![head, piece(0, first), piece(0, second), piece(END_HEADERS, third)]
}

/// Padding wherever there may be some, and a priority that nobody heeds any more.
fn padded(frame: Frame) -> Vec<Frame> {
    vec![match frame.kind {
        DATA => frame.padded(),
        HEADERS => {
            let payload = [&[0, 0, 0, 0, 15], &frame.payload[..]].concat();
            Frame::new(HEADERS, frame.flags | PRIORITY, frame.stream, payload).padded()
        }
        _ => frame,
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_in_pieces_and_padded_frames_say_the_same() {
    for up in [continued, padded] {
        let scenario = async |peer: Peer| {
            let mut wire = Wire::tapped(peer.addr, Tap { up, ..Tap::default() }).await;
            let mut outcomes = vec![wire.ask(LOOKUP, question()).await];
            let mut call = wire.begin(head(LOOKUP, &[("x-long", &"x".repeat(500))])).await;
            call.send_slowly(question().chunks(1)).await;
            call.body.send_trailers(HeaderMap::from_iter([("x-done".parse().unwrap(), "1".parse().unwrap())])).unwrap();
            outcomes.push(call.outcome().await);
            outcomes.push(wire.ask(LOOKUP, &question()[..8]).await);
            outcomes
        };
        check(scenario, vec![answered(), answered(), Outcome::failed(tonic::Code::Internal)]).await;
    }
}
