//! The first bytes of a connection of the HTTP ports: by them hyper tells HTTP/2 from HTTP/1, and only then begins to
//! mind the time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose reads fail where its first bytes do not come in time. Whoever sends nothing, or stops within the
/// preface, would hold the connection's place for good.
pub(super) struct Greeting<I> {
    io: I,
    /// `None` once it is known what the peer speaks.
    patience: Option<Pin<Box<Sleep>>>,
    /// Bytes of the preface that have come.
    heard: usize,
}

impl<I> Greeting<I> {
    pub(super) fn new(io: I, patience: Duration) -> Self {
        Self { io, patience: Some(Box::pin(tokio::time::sleep(patience))), heard: 0 }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let same = PREFACE[self.heard..].iter().zip(bytes).take_while(|(one, other)| one == other).count();
        self.heard += same;
        if self.heard == PREFACE.len() || same < bytes.len() {
            self.patience = None;
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Greeting<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        let Some(patience) = &mut self.patience else { return read };
        match read {
            Poll::Pending if patience.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer says nothing")))
            }
            Poll::Ready(Ok(())) => {
                self.hear(&buf.filled()[before..]);
                read
            }
            read => read,
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Greeting<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    async fn greeted(said: &[u8]) -> (Greeting<DuplexStream>, DuplexStream) {
        let (here, mut peer) = tokio::io::duplex(64);
        peer.write_all(said).await.unwrap();
        let mut greeting = Greeting::new(here, PATIENCE);
        let mut heard = vec![0; said.len()];
        greeting.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, said);
        (greeting, peer)
    }

    #[tokio::test]
    async fn who_stops_within_the_preface_is_given_up_and_nobody_else() {
        for said in [&b""[..], b"P", &PREFACE[..23]] {
            let (mut greeting, _peer) = greeted(said).await;
            let error = greeting.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
        }
        for said in [PREFACE, b"GET / ", b"POST", b"PRI / HTTP/1.1"] {
            let (mut greeting, _peer) = greeted(said).await;
            let read = tokio::time::timeout(10 * PATIENCE, greeting.read_u8()).await;
            assert!(read.is_err(), "what comes later is minded by others: {said:?}");
        }
    }
}
