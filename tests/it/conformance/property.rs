//! Any valid encoding of any question, cut into any pieces, is answered by both with the same bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::encoding::WireType;
use tokio::runtime::Runtime;

use super::call::{BATCH_LOOKUP, LOOKUP, Outcome, head};
use super::message::Fields;
use super::peer::{config, peers};
use super::wire::Wire;

fn numbers(field: u32) -> BoxedStrategy<Fields> {
    // The clusters of the table are below 26; some ids are unknown, and some wider than the field.
    let id = || prop_oneof![20 => 0u64..30, 1 => any::<u64>()];
    prop_oneof![
        id().prop_map(move |id| Fields::default().varint(field, id)),
        vec(id(), 0..12).prop_map(move |ids| Fields::default().packed(field, &ids)),
    ]
    .boxed()
}

fn unknown() -> BoxedStrategy<Fields> {
    let number = || prop_oneof![6u32..40, 6u32..1 << 29];
    let leaf = prop_oneof![
        (number(), any::<u64>()).prop_map(|(number, value)| Fields::default().varint(number, value)),
        (number(), vec(any::<u8>(), 0..40)).prop_map(|(number, bytes)| Fields::default().bytes(number, bytes)),
        (number(), any::<[u8; 4]>())
            .prop_map(|(number, bytes)| Fields::default().key(number, WireType::ThirtyTwoBit).raw(&bytes)),
        (number(), any::<[u8; 8]>())
            .prop_map(|(number, bytes)| Fields::default().key(number, WireType::SixtyFourBit).raw(&bytes)),
    ];
    let group = move |inner: BoxedStrategy<Fields>| {
        (number(), vec(inner, 0..3)).prop_map(|(number, inner)| {
            let begun = Fields::default().key(number, WireType::StartGroup);
            begun.raw(together(&inner).as_ref()).key(number, WireType::EndGroup)
        })
    };
    leaf.prop_recursive(3, 12, 3, group).boxed()
}

fn question() -> impl Strategy<Value = Fields> {
    let text = |field, text: &'static str| text.prop_map(move |text| Fields::default().bytes(field, text));
    let limit = prop_oneof![20 => 0u64..5, 1 => any::<u64>()];
    let channel = prop_oneof![10 => Just("main"), 10 => Just(""), 1 => Just("none")];
    let field = prop_oneof![
        4 => numbers(1),
        2 => limit.prop_map(|limit| Fields::default().varint(2, limit)),
        2 => numbers(3),
        1 => channel.prop_map(|channel| Fields::default().bytes(4, channel)),
        1 => text(5, "\\PC{0,20}"),
        3 => unknown(),
    ];
    vec(field, 0..10).prop_map(|fields| together(&fields))
}

fn together(fields: &[Fields]) -> Fields {
    fields.iter().fold(Fields::default(), |all, fields| all.raw(fields.as_ref()))
}

async fn in_pieces(wire: &mut Wire, path: &str, body: &[u8], size: usize) -> Outcome {
    let mut call = wire.begin(head(path, &[])).await;
    body.chunks(size).for_each(|piece| call.send(piece, false));
    call.send([], true);
    call.outcome().await
}

#[test]
fn any_valid_question_is_answered_alike() {
    let runtime = Runtime::new().unwrap();
    let peers = runtime.block_on(peers(config()));
    let mut wires = peers.iter().map(|peer| runtime.block_on(Wire::connect(peer.addr))).collect::<Vec<_>>();
    let (mut answered, mut asked) = (0, 0);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(300) });
    let mut ask = |path, body: &[u8], size| {
        let [ours, tonics] = [0, 1].map(|peer| runtime.block_on(in_pieces(&mut wires[peer], path, body, size)));
        asked += 1;
        answered += i32::from(matches!(ours, Outcome::Ended { code: tonic::Code::Ok, .. }));
        (ours, tonics)
    };
    let ask = std::cell::RefCell::new(&mut ask);
    let outcome = runner.run(&(vec(question(), 1..6), 1usize..200), |(questions, size)| {
        let mut ask = ask.borrow_mut();
        let (ours, tonics) = ask(LOOKUP, &questions[0].framed(), size);
        prop_assert_eq!(ours, tonics);
        let batch = questions.iter().fold(Fields::default(), |batch, question| batch.bytes(1, question));
        let (ours, tonics) = ask(BATCH_LOOKUP, &batch.framed(), size);
        prop_assert_eq!(ours, tonics);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(answered > asked / 2, "{answered} of {asked} questions had an answer to compare");
}
