//! gRPC: one call a request, or one call that stays open. An answer that is not as long as all must be is an error:
//! so a status that is not OK is seen without decoding it.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::frames::{self, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, MOST_UNDER_WAY, Received};
use super::{Pool, Wire};
use crate::Outcome;

/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A call's head as it stands in the table of those sent before on the same connection, the latest first.
const KNOWN_HEAD: &[u8] = &[0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe];

/// The first call's head, put into that table: method and scheme stand in the static one.
fn new_head(method: &str) -> Vec<u8> {
    let mut head = vec![0x83, 0x86];
    let path = format!("/segue.v1.LookupService/{method}");
    let fields: [(&[u8], &str); 5] = [
        (&[0x41], "segue.test"),
        (&[0x44], &path),
        (b"\x40\x02te", "trailers"),
        (&[0x5f], "application/grpc"),
        (&[0x7a], "segue-load/1"),
    ];
    for (name, value) in fields {
        head.extend_from_slice(name);
        head.push(value.len() as u8);
        head.extend_from_slice(value.as_bytes());
    }
    head
}

/// The pool's requests in turn, as no flow control may hold them back.
struct Requests {
    pool: Rc<Pool>,
    next: usize,
}

impl Requests {
    fn new(pool: Rc<Pool>, first: usize, depth: usize) -> Outcome<Self> {
        if pool.longest * depth > MOST_UNDER_WAY {
            return Err("so many requests at once are more than a connection's window".into());
        }
        Ok(Self { pool, next: first })
    }

    fn next(&mut self) -> &[u8] {
        self.next += 1;
        self.pool.get(self.next - 1)
    }

    /// The bytes of an answer, prefix included.
    fn answer(&self) -> usize {
        PREFIX + self.pool.answer
    }
}

/// A call for each request.
pub(super) struct Unary {
    requests: Requests,
    head: Vec<u8>,
    next_stream: u32,
    calls: Vec<Call>,
    received: Received,
}

struct Call {
    stream: u32,
    due: Instant,
    received: usize,
}

impl Unary {
    pub(super) fn new(method: &str, pool: Rc<Pool>, first: usize, depth: usize) -> Outcome<Self> {
        let requests = Requests::new(pool, first, depth)?;
        let calls = Vec::with_capacity(depth);
        Ok(Self { requests, head: new_head(method), next_stream: 1, calls, received: Received::default() })
    }

    fn note(&mut self, frame: &Frame<'_>, answered: &mut Vec<Instant>) -> Outcome<()> {
        let found = self.calls.iter().position(|call| call.stream == frame.stream);
        let at = found.ok_or("an answer to what was not asked")?;
        if frame.kind == DATA {
            self.calls[at].received += frame.payload.len();
        }
        if frame.ends_stream() {
            let Call { due, received, .. } = self.calls.swap_remove(at);
            check(received, self.requests.answer(), frame)?;
            answered.push(due);
        }
        Ok(())
    }
}

fn check(received: usize, expected: usize, last: &Frame<'_>) -> Outcome<()> {
    if received == expected {
        return Ok(());
    }
    let last = last.payload.escape_ascii();
    Err(format!("an answer of {received} bytes instead of {expected}, the last frame is {last}").into())
}

impl Wire for Unary {
    fn open(&mut self, out: &mut Vec<u8>) {
        frames::put_preface(out);
    }

    fn ask(&mut self, due: Instant, out: &mut Vec<u8>) {
        let stream = self.next_stream;
        self.next_stream += 2;
        frames::put(out, HEADERS, END_HEADERS, stream, &self.head);
        if stream == 1 {
            self.head = KNOWN_HEAD.into();
        }
        frames::put(out, DATA, END_STREAM, stream, self.requests.next());
        self.calls.push(Call { stream, due, received: 0 });
    }

    fn take(&mut self, input: &[u8], out: &mut Vec<u8>, answered: &mut Vec<Instant>) -> Outcome<usize> {
        let mut taken = 0;
        while let Some((frame, len)) = Frame::split(&input[taken..]) {
            taken += len;
            match frame.kind {
                DATA => {
                    self.received.add(frame.payload.len(), 0, out);
                    self.note(&frame, answered)?;
                }
                HEADERS => self.note(&frame, answered)?,
                _ => frames::obey(&frame, out)?,
            }
        }
        Ok(taken)
    }
}

/// One call, a message for each request.
pub(super) struct Stream {
    requests: Requests,
    method: &'static str,
    asked: VecDeque<Instant>,
    /// Bytes of the answer that is not whole yet.
    partial: usize,
    /// On the connection, and on the stream.
    received: [Received; 2],
}

const STREAM: u32 = 1;

impl Stream {
    pub(super) fn new(method: &'static str, pool: Rc<Pool>, first: usize, depth: usize) -> Outcome<Self> {
        let requests = Requests::new(pool, first, depth)?;
        Ok(Self { requests, method, asked: VecDeque::new(), partial: 0, received: Default::default() })
    }

    fn data(&mut self, len: usize, out: &mut Vec<u8>, answered: &mut Vec<Instant>) -> Outcome<()> {
        let [connection, stream] = &mut self.received;
        connection.add(len, 0, out);
        stream.add(len, STREAM, out);
        self.partial += len;
        while self.partial >= self.requests.answer() {
            self.partial -= self.requests.answer();
            answered.push(self.asked.pop_front().ok_or("an answer to what was not asked")?);
        }
        Ok(())
    }
}

impl Wire for Stream {
    fn open(&mut self, out: &mut Vec<u8>) {
        frames::put_preface(out);
        frames::put(out, HEADERS, END_HEADERS, STREAM, &new_head(self.method));
    }

    fn ask(&mut self, due: Instant, out: &mut Vec<u8>) {
        frames::put(out, DATA, 0, STREAM, self.requests.next());
        self.asked.push_back(due);
    }

    fn take(&mut self, input: &[u8], out: &mut Vec<u8>, answered: &mut Vec<Instant>) -> Outcome<usize> {
        let mut taken = 0;
        while let Some((frame, len)) = Frame::split(&input[taken..]) {
            taken += len;
            if frame.ends_stream() && matches!(frame.kind, DATA | HEADERS) {
                return Err(format!("the server ends the stream: {}", frame.payload.escape_ascii()).into());
            }
            match frame.kind {
                DATA => self.data(frame.payload.len(), out, answered)?,
                _ => frames::obey(&frame, out)?,
            }
        }
        Ok(taken)
    }
}
