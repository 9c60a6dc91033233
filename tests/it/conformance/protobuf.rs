//! Questions as no generated code writes them: what must be read all the same, and what must be refused.

use std::time::{Duration, Instant};

use prost::Message;
use prost::encoding::WireType;
use segue::proto::{BatchLookupResponse, LookupResponse};
use tonic::Code;

use super::call::{BATCH_LOOKUP, LOOKUP, Outcome};
use super::message::Fields;
use super::peer::{Peer, check};
use super::wire::Wire;

/// The clusters predicted, or why there are none.
type Told = Result<Vec<u32>, Code>;

fn fields() -> Fields {
    Fields::default()
}

/// The most common question's fields.
fn common() -> Fields {
    fields().packed(1, &[3, 0]).varint(2, 2)
}

fn clusters(response: &LookupResponse) -> Vec<u32> {
    response.predictions.iter().map(|prediction| prediction.cluster).collect()
}

async fn lookup(wire: &mut Wire, fields: &Fields) -> Told {
    match wire.ask(LOOKUP, fields.framed()).await {
        Outcome::Ended { code: Code::Ok, messages } => Ok(clusters(&LookupResponse::decode(&*messages[0]).unwrap())),
        Outcome::Ended { code, messages } if messages.is_empty() => Err(code),
        other => panic!("{other:?}"),
    }
}

/// What a batch of such fields is told, lookup by lookup.
async fn batch_lookup(wire: &mut Wire, fields: &Fields) -> Result<Vec<Vec<u32>>, Code> {
    match wire.ask(BATCH_LOOKUP, fields.framed()).await {
        Outcome::Ended { code: Code::Ok, messages } => {
            let response = BatchLookupResponse::decode(&*messages[0]).unwrap();
            Ok(response.results.iter().map(clusters).collect())
        }
        Outcome::Ended { code, messages } if messages.is_empty() => Err(code),
        other => panic!("{other:?}"),
    }
}

/// Asks each alone, and in a batch between two common ones.
async fn check_all(cases: Vec<(Fields, Told)>) {
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut told = Vec::new();
        for (fields, _) in &cases {
            let alone = lookup(&mut wire, fields).await;
            let batch = self::fields().bytes(1, common()).bytes(1, fields).bytes(1, common());
            told.push((alone, batch_lookup(&mut wire, &batch).await));
        }
        told
    };
    let between = |told: &Told| told.clone().map(|clusters| vec![vec![25, 10], clusters, vec![25, 10]]);
    check(scenario, cases.iter().map(|(_, told)| (told.clone(), between(told))).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_valid_encoding_is_read() {
    let usual = || Ok(vec![25, 10]);
    check_all(vec![
        (common(), usual()),
        (fields(), Ok(vec![3])),
        // Repeated numbers: packed, one by one, and both.
        (fields().varint(1, 3).varint(1, 0).varint(2, 2), usual()),
        (fields().varint(1, 3).varint(2, 2).packed(1, &[0]), usual()),
        (fields().packed(1, &[3]).bytes(1, "").packed(1, &[0]).varint(2, 2), usual()),
        (common().packed(3, &[77, 25]), Ok(vec![10, 7])),
        (common().varint(3, 25).varint(3, 10), Ok(vec![7, 8])),
        // The last of several values counts.
        (common().varint(2, 9).varint(2, 1), Ok(vec![25])),
        (common().varint(2, 0), Ok(vec![25])),
        (common().bytes(4, "none").bytes(4, "main"), usual()),
        (common().bytes(4, "none").bytes(4, ""), usual()),
        (common().bytes(5, "user 1").bytes(5, "ünï"), usual()),
        (fields().bytes(5, "user").varint(2, 2).bytes(4, "main").packed(1, &[3, 0]), usual()),
        // Numbers longer than they need be, and wider than their field.
        (fields().key(1, WireType::Varint).raw(&[0x83, 0x80, 0x00]).varint(1, 0).varint(2, 2), usual()),
        (fields().bytes(1, [0x83, 0x00, 0x80, 0x80, 0x80, 0x00]).varint(2, 2), usual()),
        (fields().packed(1, &[3, 0]).raw(&[0x90, 0x00, 0x02]), usual()),
        (fields().packed(1, &[(1 << 32) + 3, 1 << 63]).varint(2, (1 << 32) + 2), usual()),
        (fields().varint(1, (7 << 40) + 3).varint(1, 0).varint(2, (1 << 63) + 2), usual()),
        (common().varint(2, u64::MAX), Err(Code::InvalidArgument)),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_no_meaning_are_skipped() {
    use WireType::{EndGroup, SixtyFourBit, StartGroup, ThirtyTwoBit};
    let usual = || Ok(vec![25, 10]);
    let group = |inner: Fields| fields().key(9, StartGroup).raw(inner.as_ref()).key(9, EndGroup);
    let deep = |levels| (0..levels).fold(fields(), |inner, _| group(inner));
    check_all(vec![
        (fields().varint(6, u64::MAX).raw(common().as_ref()), usual()),
        (common().varint((1 << 29) - 1, 0), usual()),
        (common().key(100, SixtyFourBit).raw(&[0xff; 8]).varint(2, 1), Ok(vec![25])),
        (common().key(100, ThirtyTwoBit).raw(&[0xff; 4]).varint(2, 1), Ok(vec![25])),
        (common().bytes(100, [0xff; 300]).bytes(100, "").varint(2, 1), Ok(vec![25])),
        (common().raw(group(fields()).as_ref()).varint(2, 1), Ok(vec![25])),
        // Within a group even the numbers that we know mean nothing.
        (common().raw(group(common().varint(2, 1).bytes(4, [0xff])).as_ref()), usual()),
        (common().raw(deep(50).as_ref()).varint(2, 1), Ok(vec![25])),
        (common().raw(deep(500).as_ref()), Err(Code::Internal)),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_protobuf_is_refused() {
    use WireType::{EndGroup, LengthDelimited, SixtyFourBit, StartGroup, ThirtyTwoBit, Varint};
    let broken = [
        // Keys.
        fields().raw(&[0x80]),
        fields().raw(&[0x00, 0x00]),
        fields().raw(&[0x16]),
        fields().raw(&[0x17]),
        fields().number(1 << 35).number(0),
        // Numbers.
        fields().key(2, Varint),
        fields().key(2, Varint).raw(&[0x80; 3]),
        fields().key(2, Varint).raw(&[0x80; 10]).raw(&[0x01]),
        fields().key(2, Varint).raw(&[0xff; 9]).raw(&[0x02]),
        fields().key(6, Varint).raw(&[0x80; 10]).raw(&[0x01]),
        // Lengths.
        fields().key(4, LengthDelimited),
        fields().key(4, LengthDelimited).number(5).raw(b"main"),
        fields().key(4, LengthDelimited).number(u64::MAX),
        fields().key(1, LengthDelimited).number(3).raw(&[3, 0]),
        fields().key(100, LengthDelimited).number(5).raw(&[0; 4]),
        fields().key(100, LengthDelimited).number(1 << 31),
        // Packed numbers that end beyond their field, or not at all.
        fields().bytes(1, [3, 0x80]),
        fields().key(1, LengthDelimited).number(1).raw(&[0x80, 0x01]),
        fields().bytes(3, [0x80; 11]),
        // Text.
        fields().bytes(4, [0xff]),
        fields().bytes(5, [0xc3]),
        fields().bytes(4, [0xff]).bytes(4, "main"),
        // Fields that we know, of another type.
        fields().key(1, ThirtyTwoBit).raw(&[0; 4]),
        fields().bytes(2, "2"),
        fields().key(3, SixtyFourBit).raw(&[0; 8]),
        fields().varint(4, 1),
        fields().key(5, StartGroup).key(5, EndGroup),
        // Fields that we do not.
        fields().key(100, ThirtyTwoBit).raw(&[0; 3]),
        fields().key(100, SixtyFourBit).raw(&[0; 7]),
        fields().key(100, EndGroup),
        fields().key(100, StartGroup).varint(1, 3),
        fields().key(100, StartGroup).key(101, EndGroup),
    ];
    check_all(broken.into_iter().map(|fields| (fields, Err(Code::Internal))).collect()).await;
}

/// However its lists are interleaved, a question costs no more than its length.
#[tokio::test(flavor = "multi_thread")]
async fn lists_in_turns_are_read_in_step_with_their_length() {
    let turns = |count: u64| (0..count).fold(fields(), |fields, at| fields.varint(1, at % 30).varint(3, 99));
    let (long, too_long) = (turns(4096).varint(2, 1), turns(22_000));
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let began = Instant::now();
        let told = [lookup(&mut wire, &long).await, lookup(&mut wire, &too_long).await];
        // Steps in the square of the length would make it seconds, and gigabytes.
        assert!(began.elapsed() < Duration::from_millis(800), "{}: {:?}", peer.name, began.elapsed());
        told
    };
    check(scenario, [Ok(vec![]), Err(Code::InvalidArgument)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_around_their_lookups() {
    use WireType::{EndGroup, LengthDelimited, StartGroup, ThirtyTwoBit};
    let usual = || Ok(vec![vec![25, 10]]);
    let cases = [
        (fields(), Ok(vec![])),
        (fields().bytes(1, ""), Ok(vec![vec![3]])),
        (fields().bytes(1, common()), usual()),
        (fields().varint(7, 1).bytes(1, common()).bytes(9, [0xff; 200]), usual()),
        (fields().key(2, StartGroup).bytes(1, common()).key(2, EndGroup).bytes(1, common()), usual()),
        (fields().varint(1, 1), Err(Code::Internal)),
        (fields().key(1, ThirtyTwoBit).raw(&[0; 4]), Err(Code::Internal)),
        (fields().bytes(1, common()).key(1, LengthDelimited), Err(Code::Internal)),
        (fields().key(1, LengthDelimited).number(50).raw(common().as_ref()), Err(Code::Internal)),
        (fields().bytes(1, common()).raw(&[0x17]), Err(Code::Internal)),
        // The lookups' own fields have no place here.
        (common(), Err(Code::Internal)),
    ];
    let scenario = async |peer: Peer| {
        let mut wire = Wire::connect(peer.addr).await;
        let mut told = Vec::new();
        for (fields, _) in &cases {
            told.push(batch_lookup(&mut wire, fields).await);
        }
        told
    };
    check(scenario, cases.iter().map(|(_, told)| told.clone()).collect()).await;
}
