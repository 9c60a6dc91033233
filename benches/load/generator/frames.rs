//! HTTP/2 as far as a load generator needs it: frames, flow control of what is received, and polite answers.

use crate::Outcome;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// The window of a connection before anybody changes it.
const DEFAULT_WINDOW: u32 = 65_535;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// Received bytes are given back when so many have come.
const GIVE_BACK: u32 = 1 << 29;

/// What may be under way to a server on one connection: it gives its window back by halves, and a request is never held
/// back for it here.
pub(super) const MOST_UNDER_WAY: usize = DEFAULT_WINDOW as usize / 2;

pub(super) struct Frame<'f> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'f [u8],
}

impl<'f> Frame<'f> {
    /// The frame at the front of `input` and its length there, once it is whole.
    pub(super) fn split(input: &'f [u8]) -> Option<(Self, usize)> {
        let (head, rest) = input.split_first_chunk::<HEAD>()?;
        let [high, middle, low, kind, flags, stream @ ..] = *head;
        let len = u32::from_be_bytes([0, high, middle, low]) as usize;
        let payload = rest.get(..len)?;
        let stream = u32::from_be_bytes(stream) & LARGEST_WINDOW;
        Some((Self { kind, flags, stream, payload }, HEAD + len))
    }

    pub(super) fn ends_stream(&self) -> bool {
        self.flags & END_STREAM != 0
    }
}

pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, high, middle, low] = (payload.len() as u32).to_be_bytes();
    let [a, b, c, d] = stream.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind, flags, a, b, c, d]);
    out.extend_from_slice(payload);
}

/// What a client says first: it takes as much as there can be.
pub(super) fn put_preface(out: &mut Vec<u8>) {
    const ENABLE_PUSH: u8 = 2;
    const INITIAL_WINDOW_SIZE: u8 = 4;
    let [a, b, c, d] = LARGEST_WINDOW.to_be_bytes();
    out.extend_from_slice(PREFACE);
    put(out, SETTINGS, 0, 0, &[0, ENABLE_PUSH, 0, 0, 0, 0, 0, INITIAL_WINDOW_SIZE, a, b, c, d]);
    put(out, WINDOW_UPDATE, 0, 0, &(LARGEST_WINDOW - DEFAULT_WINDOW).to_be_bytes());
}

/// Counts what came on a connection or a stream, and gives it back in time.
#[derive(Default)]
pub(super) struct Received(u32);

impl Received {
    pub(super) fn add(&mut self, len: usize, stream: u32, out: &mut Vec<u8>) {
        self.0 += len as u32;
        if self.0 >= GIVE_BACK {
            put(out, WINDOW_UPDATE, 0, stream, &self.0.to_be_bytes());
            self.0 = 0;
        }
    }
}

/// Answers what must be answered; a connection or a stream that the server ends is an error.
pub(super) fn obey(frame: &Frame<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    match frame.kind {
        SETTINGS if frame.flags & ACK == 0 => put(out, SETTINGS, ACK, 0, &[]),
        PING if frame.flags & ACK == 0 => put(out, PING, ACK, 0, frame.payload),
        GOAWAY => return Err(format!("the server says goodbye: {:?}", frame.payload.escape_ascii().to_string()).into()),
        RST_STREAM => return Err(format!("the server resets stream {}: {:?}", frame.stream, frame.payload).into()),
        // Never waited for; see [`MOST_UNDER_WAY`]. What is unknown is to be ignored.
        _ => {}
    }
    Ok(())
}
