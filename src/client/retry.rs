//! One call: its deadline, and what is done about a server that is away for a moment.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tonic_types::StatusExt;

use super::config::Config;
use super::error::{Error, is_late, may_pass};
use crate::proto::lookup_service_client::LookupServiceClient;

pub(super) type Service = LookupServiceClient<Channel>;

/// The longest pause between two attempts, unless the server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Nobody waits longer; what is asked beyond it means "for ever", which clocks cannot count.
const LONGEST_CALL: Duration = Duration::from_secs(24 * 60 * 60);

/// Sends `message` until it is answered, or until time, attempts or hope are at an end.
pub(super) async fn call<M, T, F>(
    config: &Config,
    timeout: Duration,
    service: impl Fn() -> Service,
    message: M,
    send: impl Fn(Service, Request<M>) -> F,
) -> Result<T, Error>
where
    M: Clone,
    F: Future<Output = Result<Response<T>, Status>>,
{
    let deadline = Instant::now() + timeout.min(LONGEST_CALL);
    let late = || Error::Deadline { after: timeout };
    let mut backoff = config.backoff;
    for attempt in 1.. {
        let mut request = Request::new(message.clone());
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        let answer = timeout_at(deadline, send(service(), request)).await.map_err(|_| late())?;
        let status = match answer {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if is_late(&status) => return Err(late()),
            Err(status) if !may_pass(&status) => return Err(Error::Refused { status }),
            Err(status) => status,
        };
        let pause = pause(backoff, &status);
        if attempt >= config.attempts.get() || Instant::now() + pause >= deadline {
            return Err(Error::lasting(&config.target, attempt, status));
        }
        sleep(pause).await;
        backoff = backoff.saturating_mul(2).min(LONGEST_PAUSE);
    }
    Err(late())
}

/// Half of the backoff or more, so that clients that failed together do not come back together; and as long as the
/// server asks for.
fn pause(backoff: Duration, status: &Status) -> Duration {
    let random = RandomState::new().hash_one(()) as u32;
    let jittered = backoff.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0);
    let asked = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
    jittered.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn pauses_differ_and_are_never_shorter_than_asked() {
        let status = Status::unavailable("away");
        let pauses: Vec<_> = (0..100).map(|_| pause(Duration::from_secs(1), &status)).collect();
        assert!(pauses.iter().all(|pause| (Duration::from_millis(500)..=Duration::from_secs(1)).contains(pause)));
        assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]));
        let asked = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        let status = Status::with_error_details(Code::Unavailable, "away", asked);
        assert_eq!(pause(Duration::from_secs(1), &status), Duration::from_secs(7));
    }
}
