//! Requests and tokens a minute, spread evenly, and the pauses that a server asks for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const MINUTE: f64 = 60.0;

/// Shared by all requests to one endpoint.
pub(super) struct Limiter {
    /// Seconds from one request to the next.
    a_request: f64,
    /// Seconds that one token takes.
    a_token: f64,
    free: Mutex<Free>,
}

/// From when on the next request may be sent.
struct Free {
    by_requests: Instant,
    by_tokens: Instant,
    paused: Instant,
}

impl Limiter {
    pub(super) fn new(requests_per_minute: Option<u32>, tokens_per_minute: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            a_request: requests_per_minute.map_or(0.0, |limit| MINUTE / f64::from(limit)),
            a_token: tokens_per_minute.map_or(0.0, |limit| MINUTE / limit as f64),
            free: Mutex::new(Free { by_requests: now, by_tokens: now, paused: now }),
        }
    }

    /// Waits for the turn of a request of so many tokens.
    pub(super) async fn turn(&self, tokens: u64) {
        sleep_until(self.reserve(Instant::now(), tokens)).await;
        // A pause may have begun meanwhile.
        loop {
            let paused = self.lock().paused;
            if paused <= Instant::now() {
                return;
            }
            sleep_until(paused).await;
        }
    }

    /// Nothing is sent for so long.
    pub(super) fn pause(&self, wait: Duration) {
        let mut free = self.lock();
        free.paused = free.paused.max(Instant::now() + wait);
    }

    /// When a request is sent that comes `now`.
    fn reserve(&self, now: Instant, tokens: u64) -> Instant {
        let mut free = self.lock();
        let turn = now.max(free.by_requests).max(free.by_tokens);
        free.by_requests = turn + Duration::from_secs_f64(self.a_request);
        free.by_tokens = turn + Duration::from_secs_f64((self.a_token * tokens as f64).min(MINUTE));
        turn
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until the last of so many requests, all of which come now, is sent.
    fn check(limiter: &Limiter, requests: usize, tokens: u64, expected: f64) {
        let now = Instant::now();
        let last = (0..requests).map(|_| limiter.reserve(now, tokens)).max().unwrap();
        assert!(((last - now).as_secs_f64() - expected).abs() < 0.01, "{:?}", last - now);
    }

    #[test]
    fn each_limit_holds_by_itself() {
        check(&Limiter::new(None, None), 1000, 1000, 0.0);
        check(&Limiter::new(Some(60), None), 31, 1000, 30.0);
        check(&Limiter::new(None, Some(6000)), 31, 200, 60.0);
        check(&Limiter::new(Some(60), Some(6000)), 31, 50, 30.0);
        check(&Limiter::new(None, Some(60)), 2, 1_000_000, 60.0);
    }

    #[tokio::test]
    async fn a_pause_holds_whoever_comes_until_its_end() {
        let limiter = Limiter::new(None, None);
        let began = Instant::now();
        limiter.pause(Duration::from_millis(80));
        limiter.pause(Duration::from_millis(30));
        limiter.turn(1).await;
        assert!(began.elapsed() >= Duration::from_millis(80));
    }
}
