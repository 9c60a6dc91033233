//! `LookupResponse`, written straight from an answer: the bytes that generated code would write.

use prost::encoding::encode_varint;

use super::PREFIX;
use crate::lookup::Prediction;
use crate::serve::grpc::lookup::source;
use crate::serve::lookups::Reply;

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
    pub(super) fn put_answer(&mut self, reply: &Reply<'_>) {
        put_answer(&mut self.0, reply);
    }

    /// Appends a `LookupResponse` as one of a `BatchLookupResponse`'s results.
    pub(super) fn put_result(&mut self, reply: &Reply<'_>) {
        self.0.push(field(1, LENGTH_DELIMITED));
        let length_at = self.0.len();
        self.0.push(0);
        put_answer(&mut self.0, reply);
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

fn put_answer(bytes: &mut Vec<u8>, reply: &Reply<'_>) {
    let mut fields = Fields::default();
    for prediction in reply.answer.predictions {
        fields.make_room(bytes);
        fields.put_prediction(1, prediction);
    }
    fields.make_room(bytes);
    fields.put_number(2, reply.version.0);
    fields.put_number(3, reply.answer.matched.into());
    bytes.extend_from_slice(fields.as_slice());
    if let Some(assigned) = &reply.assigned {
        put_text(bytes, 4, assigned.experiment);
        put_text(bytes, 5, assigned.arm);
    }
}

/// Names in a config are never empty.
fn put_text(bytes: &mut Vec<u8>, tag: u8, text: &str) {
    bytes.push(field(tag, LENGTH_DELIMITED));
    encode_varint(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

/// Fields that are appended together: a message that is short, as most are, grows once, not with every byte.
struct Fields {
    bytes: [u8; 64],
    len: usize,
}

/// The most that is put at a time: a prediction takes 21 bytes at most, version and match 17.
const LONGEST: usize = 21;

impl Default for Fields {
    fn default() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }
}

impl Fields {
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends what there is where no more would fit.
    fn make_room(&mut self, message: &mut Vec<u8>) {
        if self.len + LONGEST > self.bytes.len() {
            message.extend_from_slice(self.as_slice());
            self.len = 0;
        }
    }

    fn put_prediction(&mut self, tag: u8, prediction: &Prediction) {
        self.put(field(tag, LENGTH_DELIMITED));
        let length_at = self.len;
        self.put(0);
        self.put_number(1, prediction.cluster.0.into());
        self.put_score(2, prediction.score.into());
        self.put_number(3, source(prediction.source) as u64);
        self.put_number(4, prediction.level.into());
        // At most 19: always one byte.
        self.bytes[length_at] = (self.len - length_at - 1) as u8;
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
