//! Flow control: answers wait for room, and then go out whole.

use h2::client::Builder;
use prost::Message;
use segue::proto::{BatchLookupRequest, LookupRequest};
use segue::serve::Config;

use super::call::{BATCH_LOOKUP, Call, LOOKUP, Outcome, head};
use super::frame::{DATA, Frame, HEADERS};
use super::message::{Fields, answered, framed, question};
use super::peer::{PATIENCE, Peer, check, config, peers};
use super::wire::{Tap, Wire};
use crate::serve::harness::start_with;

async fn connect(peer: &Peer, client: &mut Builder) -> Wire {
    Wire::tapped(peer.addr, Tap { client: client.clone(), ..Tap::default() }).await
}

/// Waits until so many bytes of an answer were sent on a stream; then, for a while, it must be no more.
async fn sent(wire: &mut Wire, stream: u32, expected: usize) {
    let data = |frame: &&Frame| frame.kind == DATA && frame.stream == stream;
    let sum = |seen: &[Frame]| seen.iter().filter(data).map(|frame| frame.payload.len()).sum::<usize>();
    wire.saw_all(|seen| sum(seen) >= expected).await;
    wire.settle().await;
    assert_eq!(sum(&wire.seen()), expected);
}

fn batch(len: usize) -> Vec<u8> {
    let lookup = LookupRequest { history: vec![3, 0], limit: 4, ..Default::default() };
    framed(BatchLookupRequest { lookups: vec![lookup; len] }.encode_to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_for_room() {
    let scenario = async |peer: Peer| {
        let mut wire = connect(&peer, Builder::new().initial_window_size(0)).await;
        let mut call = wire.begin(head(LOOKUP, &[])).await;
        call.send(question(), true);
        let stream = call.body.stream_id().as_u32();
        wire.saw(|frame| frame.kind == HEADERS && frame.stream == stream).await;
        sent(&mut wire, stream, 0).await;
        for size in [3, 7, 8] {
            wire.set_window(size);
            sent(&mut wire, stream, size as usize).await;
        }
        wire.set_window(65_535);
        [call.outcome().await, wire.ask(LOOKUP, question()).await]
    };
    check(scenario, [answered(), answered()]).await;
}

/// Ours and tonic's answers to a large batch are compared to each other.
async fn alike(scenario: impl AsyncFn(&Peer) -> Outcome) {
    let [segue, tonic] = peers(config()).await;
    let (ours, tonics) = (scenario(&segue).await, scenario(&tonic).await);
    let Outcome::Ended { code: tonic::Code::Ok, messages } = &ours else { panic!("{ours:?}") };
    assert!(messages[0].len() > 5000);
    assert_eq!(ours, tonics);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_windows_are_filled_again_and_again() {
    alike(async |peer| connect(peer, Builder::new().initial_window_size(40)).await.ask(BATCH_LOOKUP, batch(200)).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_may_shrink_to_nothing_in_mid_flight() {
    alike(async |peer| {
        let mut wire = connect(peer, Builder::new().initial_window_size(1000)).await;
        let mut call = wire.begin(head(BATCH_LOOKUP, &[])).await;
        call.send(batch(200), true);
        let stream = call.body.stream_id().as_u32();
        sent(&mut wire, stream, 1000).await;
        for (size, expected) in [(0, 1000), (500, 1000), (1000, 1000), (1500, 1500)] {
            wire.set_window(size);
            sent(&mut wire, stream, expected).await;
        }
        call.outcome().await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_share_the_connections_window() {
    alike(async |peer| {
        // Room for both on their streams, but not on the connection, whose window stays at 65,535.
        let mut wire = connect(peer, Builder::new().initial_window_size(1 << 20)).await;
        let mut large = wire.begin(head(BATCH_LOOKUP, &[])).await;
        large.send(batch(4000), true);
        let stream = large.body.stream_id().as_u32();
        sent(&mut wire, stream, 65_535).await;
        let mut small = wire.begin(head(LOOKUP, &[])).await;
        small.send(question(), true);
        let behind = small.body.stream_id().as_u32();
        wire.saw(|frame| frame.kind == HEADERS && frame.stream == behind).await;
        sent(&mut wire, behind, 0).await;
        let (large, small) = tokio::join!(large.outcome(), small.outcome());
        assert_eq!(small, answered(), "{}", peer.name);
        large
    })
    .await;
}

/// What is refused or given up before it has come must give its room on the connection back.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_nobody_reads_to_their_end_take_no_room_for_good() {
    // Together far more than what the server lets a client send ahead.
    let (calls, piece) = (64, vec![0xff; 100_000]);
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        for _ in 0..calls {
            let mut refused = wire.begin(head(LOOKUP, &[])).await;
            refused.send(&piece, false);
            assert_eq!(refused.outcome().await, Outcome::failed(tonic::Code::Internal), "{}", peer.name);
            let mut given_up = wire.begin(head(LOOKUP, &[])).await;
            given_up.send([&[0, 0, 3, 0, 0], &piece[..]].concat(), false);
            wire.settle().await;
            given_up.body.send_reset(h2::Reason::CANCEL);
        }
        let large = Fields::default().packed(1, &[3, 0]).varint(2, 2).padding(200_000);
        wire.ask(LOOKUP, large.framed()).await
    };
    check(scenario, answered()).await;
}

/// Ours alone: tonic has no such limit. A client that takes no answers must not keep others from theirs.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_waits_is_no_longer_in_work() {
    let served = start_with(Config { max_concurrency: 1.try_into().unwrap(), ..config() }, None, true).await;
    for window in [0, 7] {
        let client = Builder::new().initial_window_size(window).clone();
        let mut waiting = Wire::tapped(served.grpc, Tap { client, ..Tap::default() }).await;
        let mut call = waiting.begin(head(LOOKUP, &[])).await;
        call.send(question(), true);
        waiting.saw(|frame| frame.kind == HEADERS).await;
        assert_eq!(Wire::connect(served.grpc).await.ask(LOOKUP, question()).await, answered());
        waiting.set_window(65_535);
        assert_eq!(call.outcome().await, answered());
    }
}

/// Ours alone: what waits for room must not wait for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_in_time_is_given_up() {
    let served = start_with(config(), None, true).await;
    for window in [0, 7] {
        let client = Builder::new().initial_window_size(window).clone();
        let mut waiting = Wire::tapped(served.grpc, Tap { client, ..Tap::default() }).await;
        let mut call = waiting.begin(head(LOOKUP, &[("grpc-timeout", "200m")])).await;
        call.send(question(), true);
        let Call { body: _body, answer } = call;
        let mut body = answer.await.unwrap().into_body();
        let ended = async {
            while body.data().await.transpose()?.is_some() {}
            body.trailers().await
        };
        let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap();
        assert_eq!(ended.unwrap_err().reason(), Some(h2::Reason::CANCEL));
    }
}
