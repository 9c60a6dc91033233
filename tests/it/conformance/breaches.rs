//! Bytes that no client of HTTP/2 may send.

use std::net::SocketAddr;

use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::call::LOOKUP;
use super::frame::*;
use super::message::{answered, question};
use super::peer::{PATIENCE, Peer, check, config, peers};
use super::wire::Wire;

/// The first that a server does about a breach of the rules.
#[derive(Debug, PartialEq)]
enum Reaction {
    GoAway(Reason),
    Reset(Reason),
    HangUp,
}

async fn reaction(addr: SocketAddr, bytes: &[u8]) -> Reaction {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let first = async {
        while let Some(frame) = Frame::read(&mut stream).await {
            match frame.kind {
                GOAWAY => return Reaction::GoAway(frame.code().into()),
                RST_STREAM => {
                    let code = u32::from_be_bytes(frame.payload[..].try_into().unwrap());
                    return Reaction::Reset(code.into());
                }
                _ => {}
            }
        }
        Reaction::HangUp
    };
    timeout(PATIENCE, first).await.expect("the server lets it pass")
}

/// What a well-behaved client begins with, and then these.
fn opening(frames: &[Frame]) -> Vec<u8> {
    let frames = [&[Frame::settings(&[])], frames].concat();
    [PREFACE.to_vec(), frames.iter().flat_map(Frame::encode).collect()].concat()
}

fn request(stream: u32, flags: u8) -> Frame {
    Frame::new(HEADERS, flags | END_HEADERS, stream, header_block(&HEAD))
}

/// A request with one header more, and nothing before it.
fn with(header: (&str, &str)) -> Vec<u8> {
    let fields = [&HEAD[..], &[header]].concat();
    opening(&[Frame::new(HEADERS, END_HEADERS, 1, header_block(&fields))])
}

const HEAD: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", LOOKUP), ("content-type", "application/grpc")];

/// Opens with each, and then asks something sensible on another connection.
async fn check_breaches(breaches: Vec<(&str, Vec<u8>, Reaction)>) {
    for peer in peers(config()).await {
        let mut unexpected = Vec::new();
        for (what, bytes, expected) in &breaches {
            let reaction = reaction(peer.addr, bytes).await;
            unexpected.extend((reaction != *expected).then_some((what, reaction)));
        }
        assert!(unexpected.is_empty(), "{}: {unexpected:?}", peer.name);
        assert_eq!(Wire::connect(peer.addr).await.ask(LOOKUP, question()).await, answered(), "{}", peer.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beginnings_that_are_none() {
    use Reaction::{GoAway, HangUp};
    let cut = |len: usize| PREFACE[..len].to_vec();
    check_breaches(vec![
        ("another preface", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(), HangUp),
        ("a frame of 2^24 - 1 bytes", [PREFACE, &[0xff; 40]].concat(), GoAway(Reason::FRAME_SIZE_ERROR)),
        ("TLS", [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], &[7; 32][..]].concat(), HangUp),
    ])
    .await;
    // Nobody is there any more to be told.
    for peer in peers(config()).await {
        for len in [1, 10, PREFACE.len() - 1, PREFACE.len()] {
            TcpStream::connect(peer.addr).await.unwrap().write_all(&cut(len)).await.unwrap();
        }
        assert_eq!(Wire::connect(peer.addr).await.ask(LOOKUP, question()).await, answered(), "{}", peer.name);
    }
}

/// Neither speaks it here: our HTTP face has a port of its own.
#[tokio::test(flavor = "multi_thread")]
async fn http_1() {
    let scenario = async |peer: Peer| {
        let mut stream = TcpStream::connect(peer.addr).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // It may well be cut off instead of closed.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server lets it pass");
        answer.starts_with(b"HTTP/1.1 200")
    };
    check(scenario, false).await;
}

/// Where the RFC has a code of its own (FRAME_SIZE_ERROR, COMPRESSION_ERROR), `h2` mostly says PROTOCOL_ERROR.
#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_rules_end_the_connection() {
    let protocol = || Reaction::GoAway(Reason::PROTOCOL_ERROR);
    let size = || Reaction::GoAway(Reason::FRAME_SIZE_ERROR);
    let flow = || Reaction::GoAway(Reason::FLOW_CONTROL_ERROR);
    let frame = |kind, flags, stream, payload: &[u8]| opening(&[Frame::new(kind, flags, stream, payload)]);
    let setting = |id, value| opening(&[Frame::settings(&[(id, value)])]);
    let unfinished = Frame { flags: 0, ..request(1, 0) };
    let update = 0x7fff_ffffu32.to_be_bytes();
    check_breaches(vec![
        ("DATA of no stream", frame(DATA, 0, 0, b"x"), protocol()),
        ("DATA of a stream that was not opened", frame(DATA, 0, 1, b"x"), protocol()),
        ("padding longer than its frame", opening(&[request(1, 0), Frame::new(DATA, PADDED, 1, [9, 0])]), protocol()),
        ("HEADERS of no stream", opening(&[request(0, END_STREAM)]), protocol()),
        ("HEADERS of the server's streams", opening(&[request(2, END_STREAM)]), protocol()),
        ("a stream older than the last", opening(&[request(5, END_STREAM), request(3, END_STREAM)]), protocol()),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, b""), protocol()),
        ("a PING within HEADERS", opening(&[unfinished.clone(), Frame::new(PING, 0, 0, [0; 8])]), protocol()),
        (
            "CONTINUATION of another stream",
            opening(&[unfinished, Frame::new(CONTINUATION, END_HEADERS, 3, [])]),
            protocol(),
        ),
        ("no HPACK", frame(HEADERS, END_HEADERS, 1, &[0xff; 9]), protocol()),
        ("a name in capitals", with(("X-Loud", "1")), protocol()),
        ("a pseudo header that nobody knows", with((":nonsense", "1")), protocol()),
        ("DATA behind the end", opening(&[request(1, END_STREAM), Frame::new(DATA, 0, 1, [0; 2])]), protocol()),
        ("a frame over the limit", frame(DATA, 0, 1, &[0; 16_385]), size()),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), protocol()),
        ("an acknowledgement with SETTINGS", frame(SETTINGS, ACK, 0, &[0; 6]), protocol()),
        ("SETTINGS of a stream", frame(SETTINGS, 0, 1, b""), protocol()),
        ("a window of 2^31", setting(INITIAL_WINDOW_SIZE, 1 << 31), protocol()),
        ("frames of one byte", setting(5, 1), protocol()),
        ("a push setting of 2", setting(2, 2), protocol()),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7]), protocol()),
        ("PING of a stream", frame(PING, 0, 1, &[0; 8]), protocol()),
        ("GOAWAY of a stream", frame(GOAWAY, 0, 1, &[0; 8]), protocol()),
        ("a promise by a client", frame(5, END_HEADERS, 1, &[0, 0, 0, 2]), protocol()),
        ("RST_STREAM of what was not opened", frame(RST_STREAM, 0, 1, &[0; 4]), protocol()),
        ("RST_STREAM of three bytes", opening(&[request(1, 0), Frame::new(RST_STREAM, 0, 1, [0; 3])]), protocol()),
        ("WINDOW_UPDATE of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), protocol()),
        ("WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), protocol()),
        ("a window beyond 2^31", frame(WINDOW_UPDATE, 0, 0, &update), flow()),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_rules_of_a_call_reset_it() {
    let reset = || Reaction::Reset(Reason::PROTOCOL_ERROR);
    let update = 0x7fff_ffffu32.to_be_bytes();
    check_breaches(vec![
        ("a header of HTTP/1.1", with(("connection", "close")), reset()),
        ("a pseudo header behind others", with((":authority", "late")), reset()),
        ("a second head that is no trailer", opening(&[request(1, 0), request(1, 0)]), reset()),
        (
            "a window beyond 2^31",
            opening(&[request(1, 0), Frame::new(WINDOW_UPDATE, 0, 1, update)]),
            Reaction::Reset(Reason::FLOW_CONTROL_ERROR),
        ),
    ])
    .await;
}
