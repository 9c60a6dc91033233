//! A connection of `h2`'s client, with somebody on the line who sees every frame, and may rewrite and add some.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::Request;
use h2::client::{self, Connection, SendRequest};
use h2::{Ping, PingPong};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;

use super::call::{Call, LOOKUP, Outcome, head};
use super::frame::{Frame, PREFACE};
use super::peer::PATIENCE;

/// What is done to the frames, and how the client begins.
pub(super) struct Tap {
    /// To those of the client.
    pub(super) up: fn(Frame) -> Vec<Frame>,
    /// To those of the server.
    pub(super) down: fn(Frame) -> Vec<Frame>,
    pub(super) client: client::Builder,
}

impl Default for Tap {
    fn default() -> Self {
        Self { up: |frame| vec![frame], down: |frame| vec![frame], client: client::Builder::new() }
    }
}

/// A connection to a peer.
pub(super) struct Wire {
    requests: SendRequest<Bytes>,
    pings: PingPong,
    windows: UnboundedSender<u32>,
    up: UnboundedSender<Vec<u8>>,
    /// Everything that the server sent; closed when its side of the connection is.
    seen: watch::Receiver<Vec<Frame>>,
}

impl Wire {
    pub(super) async fn connect(addr: SocketAddr) -> Self {
        Self::tapped(addr, Tap::default()).await
    }

    pub(super) async fn tapped(addr: SocketAddr, tap: Tap) -> Self {
        let tcp = TcpStream::connect(addr).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (near, far) = tokio::io::duplex(1 << 20);
        let ((from_client, to_client), (from_server, to_server)) = (tokio::io::split(far), tcp.into_split());
        let (up, sent) = unbounded_channel();
        let (see, seen) = watch::channel(Vec::new());
        tokio::spawn(listen(from_client, up.clone(), tap.up));
        tokio::spawn(forward(sent, to_server));
        tokio::spawn(pass(from_server, to_client, tap.down, see));
        let (requests, mut connection) = tap.client.handshake(near).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        let (windows, sizes) = unbounded_channel();
        tokio::spawn(drive(connection, sizes));
        Self { requests, pings, windows, up, seen }
    }

    /// Sends a call's head; its body is up to the caller.
    pub(super) async fn begin(&mut self, head: Request<()>) -> Call {
        self.try_begin(head).await.unwrap()
    }

    pub(super) async fn try_begin(&mut self, head: Request<()>) -> Result<Call, Outcome> {
        let ready = timeout(PATIENCE, self.requests.clone().ready()).await.expect("no room for a call");
        let sent = ready.and_then(|mut requests| requests.send_request(head, false));
        let (answer, body) = sent.map_err(|_| Outcome::Disconnected)?;
        Ok(Call { body, answer })
    }

    /// One whole call.
    pub(super) async fn ask(&mut self, path: &str, body: impl AsRef<[u8]>) -> Outcome {
        self.ask_with(head(path, &[]), body).await
    }

    pub(super) async fn ask_with(&mut self, head: Request<()>, body: impl AsRef<[u8]>) -> Outcome {
        match self.try_begin(head).await {
            Ok(mut call) => {
                call.send(body, true);
                call.outcome().await
            }
            Err(outcome) => outcome,
        }
    }

    /// A lookup with all but its end sent.
    pub(super) async fn half_ask(&mut self, body: impl AsRef<[u8]>) -> Call {
        let mut call = self.begin(head(LOOKUP, &[])).await;
        call.send(body, false);
        self.settle().await;
        call
    }

    /// Returns when the server has taken all that was sent so far.
    pub(super) async fn settle(&mut self) {
        // The first may overtake frames that are still waiting to be written, the second cannot.
        for _ in 0..2 {
            timeout(PATIENCE, self.pings.ping(Ping::opaque())).await.expect("no answer to a ping").unwrap();
        }
    }

    /// Adds a frame to the client's.
    pub(super) fn inject(&self, frame: &Frame) {
        self.up.send(frame.encode()).unwrap();
    }

    /// Changes the initial window of streams, those open included.
    pub(super) fn set_window(&self, size: u32) {
        self.windows.send(size).unwrap();
    }

    /// Waits until the server has sent such a frame.
    pub(super) async fn saw(&mut self, is: impl Fn(&Frame) -> bool) -> Frame {
        self.saw_all(|seen| seen.iter().any(&is)).await;
        self.seen().into_iter().find(is).unwrap()
    }

    /// Waits until what the server has sent is enough.
    pub(super) async fn saw_all(&mut self, is_enough: impl Fn(&[Frame]) -> bool) {
        let seen = timeout(PATIENCE, self.seen.wait_for(|seen| is_enough(seen))).await;
        drop(seen.expect("the server does not send it").expect("the server hung up"));
    }

    /// Everything that the server has sent so far.
    pub(super) fn seen(&self) -> Vec<Frame> {
        self.seen.borrow().clone()
    }

    /// Waits until the server hangs up.
    pub(super) async fn closed(&mut self) {
        timeout(PATIENCE, async { while self.seen.changed().await.is_ok() {} }).await.expect("the server holds on");
    }
}

async fn listen(mut client: ReadHalf<DuplexStream>, up: UnboundedSender<Vec<u8>>, rewrite: fn(Frame) -> Vec<Frame>) {
    let mut preface = [0; PREFACE.len()];
    client.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    let mut bytes = preface.to_vec();
    while up.send(std::mem::take(&mut bytes)).is_ok() {
        let Some(frame) = Frame::read(&mut client).await else { return };
        bytes = rewrite(frame).iter().flat_map(Frame::encode).collect();
    }
}

async fn forward(mut sent: UnboundedReceiver<Vec<u8>>, mut server: OwnedWriteHalf) {
    while let Some(bytes) = sent.recv().await {
        if server.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn pass(
    mut server: OwnedReadHalf,
    mut client: WriteHalf<DuplexStream>,
    rewrite: fn(Frame) -> Vec<Frame>,
    see: watch::Sender<Vec<Frame>>,
) {
    while let Some(frame) = Frame::read(&mut server).await {
        see.send_modify(|seen| seen.push(frame.clone()));
        let bytes: Vec<u8> = rewrite(frame).iter().flat_map(Frame::encode).collect();
        if client.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = client.shutdown().await;
}

/// Keeps the client's side going. Its errors are told by the calls they end.
async fn drive(mut connection: Connection<DuplexStream, Bytes>, mut windows: UnboundedReceiver<u32>) {
    loop {
        tokio::select! {
            _ = &mut connection => return,
            size = windows.recv() => match size {
                Some(size) => connection.set_initial_window_size(size).unwrap(),
                None => return drop(connection.await),
            },
        }
    }
}
