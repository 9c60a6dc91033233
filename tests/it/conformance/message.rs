//! What the suite says: gRPC messages, and protobuf written field by field.

use axum::body::Bytes;
use prost::Message;
use prost::encoding::WireType;
use segue::proto::{LookupRequest, LookupResponse, Prediction};

use super::call::Outcome;

/// A message as gRPC frames it: not compressed, its length, its bytes.
pub(super) fn framed(message: impl AsRef<[u8]>) -> Vec<u8> {
    flagged(0, message)
}

pub(super) fn flagged(compressed: u8, message: impl AsRef<[u8]>) -> Vec<u8> {
    let message = message.as_ref();
    [&[compressed][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// The messages of a whole answer.
pub(super) fn split(mut data: &[u8]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Some((prefix, rest)) = data.split_first_chunk::<5>() {
        let [compressed, len @ ..] = *prefix;
        assert_eq!(compressed, 0, "nobody asked for compression");
        let (message, rest) = rest.split_at_checked(u32::from_be_bytes(len) as usize).expect("half a message");
        messages.push(Bytes::copy_from_slice(message));
        data = rest;
    }
    assert!(data.is_empty(), "bytes after the last message: {data:?}");
    messages
}

/// The question that most scenarios ask, framed.
pub(super) fn question() -> Vec<u8> {
    framed(LookupRequest { history: vec![3, 0], limit: 2, ..Default::default() }.encode_to_vec())
}

/// How [`question`] is answered.
pub(super) fn answered() -> Outcome {
    let prediction = |cluster, score, source| Prediction { cluster, score, source, level: 2 };
    let predictions = vec![prediction(25, 1.0, 1), prediction(10, 16384.0 / 65535.0, 2)];
    Outcome::answered(LookupResponse { predictions, version: 1, matched: 2, ..Default::default() })
}

/// Protobuf in the making. Methods take the field's number first.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<u8>);

impl Fields {
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(super) fn key(mut self, number: u32, wire_type: WireType) -> Self {
        prost::encoding::encode_key(number, wire_type, &mut self.0);
        self
    }

    pub(super) fn number(mut self, value: u64) -> Self {
        prost::encoding::encode_varint(value, &mut self.0);
        self
    }

    pub(super) fn varint(self, number: u32, value: u64) -> Self {
        self.key(number, WireType::Varint).number(value)
    }

    pub(super) fn bytes(self, number: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.key(number, WireType::LengthDelimited).number(bytes.len() as u64).raw(bytes)
    }

    pub(super) fn packed(self, number: u32, values: &[u64]) -> Self {
        let values = values.iter().fold(Self::default(), |fields, &value| fields.number(value));
        self.bytes(number, values.0)
    }

    /// `count` more bytes, in a field of no meaning.
    pub(super) fn padding(self, count: usize) -> Self {
        let whole = self.0.len() + count;
        // The key takes two bytes (the number is over 15), the length up to four.
        let mut padded = self.clone();
        for len in count.saturating_sub(6)..count {
            padded = self.clone().bytes(1000, vec![0; len]);
            if padded.0.len() == whole {
                break;
            }
        }
        assert_eq!(padded.0.len(), whole);
        padded
    }

    pub(super) fn framed(&self) -> Vec<u8> {
        framed(&self.0)
    }
}

impl AsRef<[u8]> for Fields {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
