//! Flow control: answers wait for room, and then go out whole.

use h2::client::Builder;
use prost::Message;
use segue::proto::{BatchLookupRequest, LookupRequest};

use super::call::{BATCH_LOOKUP, LOOKUP, Outcome, head};
use super::frame::{DATA, HEADERS};
use super::message::{answered, framed, question};
use super::peer::{Peer, check, config, peers};
use super::wire::{Tap, Wire};

async fn connect(peer: &Peer, client: &mut Builder) -> Wire {
    Wire::tapped(peer.addr, Tap { client: client.clone(), ..Tap::default() }).await
}

/// Bytes of answers that were sent on a stream.
fn sent(wire: &Wire, stream: u32) -> usize {
    let data = |frame: &&super::frame::Frame| frame.kind == DATA && frame.stream == stream;
    wire.seen().iter().filter(data).map(|frame| frame.payload.len()).sum()
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
        wire.settle().await;
        let mut amounts = vec![sent(&wire, stream)];
        for size in [3, 3, 7] {
            wire.set_window(size);
            wire.settle().await;
            amounts.push(sent(&wire, stream));
        }
        wire.set_window(65_535);
        (amounts, call.outcome().await, wire.ask(LOOKUP, question()).await)
    };
    check(scenario, (vec![0, 3, 3, 7], answered(), answered())).await;
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
        wire.saw(|frame| frame.kind == DATA).await;
        for size in [0, 500, 1000] {
            wire.set_window(size);
            wire.settle().await;
            assert_eq!(sent(&wire, stream), 1000, "{}", peer.name);
        }
        wire.set_window(1500);
        wire.settle().await;
        assert_eq!(sent(&wire, stream), 1500, "{}", peer.name);
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
        while sent(&wire, stream) < 65_535 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let mut small = wire.begin(head(LOOKUP, &[])).await;
        small.send(question(), true);
        let behind = small.body.stream_id().as_u32();
        wire.saw(|frame| frame.kind == HEADERS && frame.stream == behind).await;
        wire.settle().await;
        assert_eq!((sent(&wire, stream), sent(&wire, behind)), (65_535, 0), "{}", peer.name);
        let (large, small) = tokio::join!(large.outcome(), small.outcome());
        assert_eq!(small, answered(), "{}", peer.name);
        large
    })
    .await;
}
