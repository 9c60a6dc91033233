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
        let fields = prediction_fields(prediction);
        // At most 19: always one byte.
        bytes.extend_from_slice(&[field(1, LENGTH_DELIMITED), fields.len as u8]);
        bytes.extend_from_slice(fields.as_slice());
    }
    let mut fields = Fields::default();
    fields.put_number(2, version.0);
    fields.put_number(3, answer.matched.into());
    bytes.extend_from_slice(fields.as_slice());
}

fn prediction_fields(prediction: &Prediction) -> Fields {
    let mut fields = Fields::default();
    fields.put_number(1, prediction.cluster.0.into());
    fields.put_score(2, prediction.score.into());
    fields.put_number(3, source(prediction.source) as u64);
    fields.put_number(4, prediction.level.into());
    fields
}

/// A few fields that are appended at once: the message is asked for room once, not for every byte.
#[derive(Default)]
struct Fields {
    bytes: [u8; 32],
    len: usize,
}

impl Fields {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// As proto3 has it, 0 is left out.
    fn put_number(&mut self, tag: u8, mut number: u64) {
        if number == 0 {
            return;
        }
        self.put(field(tag, VARINT));
        while number >= 0x80 {
            self.put(number as u8 | 0x80);
            number >>= 7;
        }
        self.put(number as u8);
    }

    fn put_score(&mut self, tag: u8, score: f32) {
        if score != 0.0 {
            self.put(field(tag, FIXED_32));
            score.to_le_bytes().into_iter().for_each(|byte| self.put(byte));
        }
    }

    fn put(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }
}
