//! Whether a peer is still there.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep};

/// How often an HTTP/2 peer of any port is asked whether it is still there.
pub(in crate::serve) const EVERY: Duration = Duration::from_secs(20);
/// How long it has to answer.
pub(in crate::serve) const PATIENCE: Duration = Duration::from_secs(10);

/// Asks by PING. A connection whose peer vanished without a word would stay open for ever.
pub(super) struct Keepalive {
    /// None where something else pings.
    pings: Option<PingPong>,
    /// When to ask again or, once asked, when the answer is due.
    next: Pin<Box<Sleep>>,
    asked: bool,
}

impl Keepalive {
    pub(super) fn new(pings: Option<PingPong>) -> Self {
        Self { pings, next: Box::pin(tokio::time::sleep(EVERY)), asked: false }
    }

    /// True once an answer is overdue. Wakes the task when there is something to do.
    pub(super) fn is_lost(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(pings) = &mut self.pings else { return false };
        loop {
            if self.asked && pings.poll_pong(cx).is_ready() {
                self.asked = false;
                self.next.as_mut().reset(Instant::now() + EVERY);
            }
            if self.next.as_mut().poll(cx).is_pending() {
                return false;
            }
            if self.asked {
                return true;
            }
            // It fails only where one is under way already.
            let _ = pings.send_ping(Ping::opaque());
            self.asked = true;
            self.next.as_mut().reset(Instant::now() + PATIENCE);
        }
    }
}
