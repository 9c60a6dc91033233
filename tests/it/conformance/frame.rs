//! HTTP/2 frames as bytes (RFC 9113, section 4.1).

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// The same bit in DATA and HEADERS; of PING and SETTINGS it says that they answer one.
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const PRIORITY: u8 = 0x20;

pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;

/// What a client sends first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Bytes,
}

impl Frame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: Bytes::from(payload.into()) }
    }

    pub(super) fn settings(settings: &[(u16, u32)]) -> Self {
        let bytes = settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
        Self::new(SETTINGS, 0, 0, bytes.collect::<Vec<u8>>())
    }

    pub(super) fn goaway(last_stream: u32, code: u32) -> Self {
        Self::new(GOAWAY, 0, 0, [last_stream.to_be_bytes(), code.to_be_bytes()].concat())
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The code of a GOAWAY.
    pub(super) fn code(&self) -> u32 {
        u32::from_be_bytes(self.payload[4..8].try_into().unwrap())
    }

    /// With the largest padding there is, behind it.
    pub(super) fn padded(self) -> Self {
        let payload = [&[u8::MAX][..], &self.payload, &[0; u8::MAX as usize]].concat();
        Self { flags: self.flags | PADDED, payload: payload.into(), ..self }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = (self.payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The next frame; `None` where the connection ends before it is whole.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut head = [0; 9];
        from.read_exact(&mut head).await.ok()?;
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        from.read_exact(&mut payload).await.ok()?;
        Some(Self::new(kind, flags, u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]), payload))
    }
}

/// A header block of literals without Huffman codes and without indexing: what anyone can write by hand (RFC 7541).
pub(super) fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], literal(name), literal(value)].concat()).collect()
}
