//! How long a call may take: as long as the config says, or less where its caller will not wait that long.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use super::error::ServeError;
use super::face::Face;

/// How a gRPC client says how long it waits.
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Gives a call up when its time is over. A stream's time ends with its head.
pub(super) async fn within(State((face, limit)): State<(Face, Duration)>, request: Request, next: Next) -> Response {
    let after = of(request.headers(), limit);
    match tokio::time::timeout(after, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => face.refuse(ServeError::Timeout { after }),
    }
}

/// How long a call of this head may take, at most `limit`.
pub(super) fn of(head: &HeaderMap, limit: Duration) -> Duration {
    limit.min(asked(head).unwrap_or(limit))
}

/// What the caller asks for: up to eight digits and a unit. Anything else is left aside, as other servers do.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let plain = digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| plain)?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_TIMEOUT, text.parse().unwrap());
        asked(&headers)
    }

    #[test]
    fn deadlines_are_read_as_grpc_writes_them() {
        assert_eq!(asked(&HeaderMap::new()), None);
        for (text, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("99999999m", Duration::from_millis(99_999_999)),
            ("5u", Duration::from_micros(5)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for wrong in ["", "S", "1", "+1S", "-1S", "1.5S", "100000000S", "1s", "1 S"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
