//! `LookupResponse`, written straight from an answer: the bytes that generated code would write.

use prost::encoding::encode_varint;

use super::PREFIX;
use crate::ids::VersionId;
use crate::lookup::{Answer, Prediction};
use crate::serve::grpc::lookup::source;

/// A message in the frame that gRPC sends it in.
pub(super) struct Message(Vec<u8>);

impl Message {
    /// An empty message with room for `len` bytes.
    pub(super) fn with_room(len: usize) -> Self {
        let mut bytes = Vec::with_capacity(PREFIX + len);
        bytes.resize(PREFIX, 0);
        Self(bytes)
    }

    /// Appends the fields of a `LookupResponse`.
    pub(super) fn put_answer(&mut self, version: VersionId, answer: &Answer<'_>) {
        put_answer(&mut self.0, version, answer);
    }

    /// Appends a `LookupResponse` as one of a `BatchLookupResponse`'s results.
    pub(super) fn put_result(&mut self, version: VersionId, answer: &Answer<'_>) {
        self.0.push(field(1, LENGTH_DELIMITED));
        let length_at = self.0.len();
        self.0.push(0);
        put_answer(&mut self.0, version, answer);
        let len = self.0.len() - length_at - 1;
        match u8::try_from(len) {
            Ok(short) if short < 0x80 => self.0[length_at] = short,
            _ => self.widen_length(length_at, len as u64),
        }
    }

    /// The whole frame.
    pub(super) fn into_frame(mut self) -> Vec<u8> {
        let len = (self.0.len() - PREFIX) as u32;
        self.0[1..PREFIX].copy_from_slice(&len.to_be_bytes());
        self.0
    }

    /// Puts a length of more than one byte where room was left for one.
    fn widen_length(&mut self, at: usize, len: u64) {
        let mut length = Vec::with_capacity(3);
        encode_varint(len, &mut length);
        self.0.splice(at..=at, length);
    }
}

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;
const FIXED_32: u8 = 5;

const fn field(tag: u8, wire_type: u8) -> u8 {
    tag << 3 | wire_type
}

fn put_answer(bytes: &mut Vec<u8>, version: VersionId, answer: &Answer<'_>) {
    for prediction in answer.predictions {
        bytes.push(field(1, LENGTH_DELIMITED));
        let length_at = bytes.len();
        bytes.push(0);
        put_prediction(bytes, prediction);
        // At most 19: always one byte.
        bytes[length_at] = (bytes.len() - length_at - 1) as u8;
    }
    put_number(bytes, 2, version.0);
    put_number(bytes, 3, answer.matched.into());
}

fn put_prediction(bytes: &mut Vec<u8>, prediction: &Prediction) {
    put_number(bytes, 1, prediction.cluster.0.into());
    let score = f32::from(prediction.score);
    if score != 0.0 {
        bytes.push(field(2, FIXED_32));
        bytes.extend_from_slice(&score.to_le_bytes());
    }
    put_number(bytes, 3, source(prediction.source) as u64);
    put_number(bytes, 4, prediction.level.into());
}

/// As proto3 has it, 0 is left out.
fn put_number(bytes: &mut Vec<u8>, tag: u8, number: u64) {
    if number != 0 {
        bytes.push(field(tag, VARINT));
        encode_varint(number, bytes);
    }
}
