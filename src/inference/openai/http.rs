//! One request, sent until it is answered or will not be.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::TryRng;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config::Config;
use super::limit::Limiter;
use crate::files;
use crate::inference::http::{client, told};

/// The wait before a request is sent again; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait of our own accord.
const LAST_WAIT: Duration = Duration::from_secs(60);
/// A server that asks for a longer wait is asked again in another run.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// The longest answer that is read, where it is not a file.
pub(super) const MAX_BODY: u64 = 16 << 20;
/// What is quoted of an answer that tells of an error.
const QUOTED: usize = 300;

/// An endpoint.
pub(super) struct Http {
    client: Client,
    url: String,
    key: Option<String>,
    key_env: String,
    retries: u32,
    limiter: Limiter,
}

/// A request that will not be answered.
#[derive(Debug)]
pub(super) enum Failure {
    /// This one.
    Request(String),
    /// What it names is not there.
    Absent(String),
    /// Neither would any other.
    Endpoint(String),
}

impl Failure {
    /// What happened, and what to do.
    pub(super) fn problem(self) -> String {
        let (Self::Request(problem) | Self::Absent(problem) | Self::Endpoint(problem)) = self;
        problem
    }
}

/// A request that was not answered this time.
pub(super) enum Trouble {
    /// It may be the next time, after a wait that the server may have named.
    ForNow(String, Option<Duration>),
    /// No answer came: the server may be gone.
    NoAnswer(String),
    ForGood(Failure),
}

impl Http {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        config.check()?;
        let key = std::env::var(&config.key_env).ok().filter(|key| !key.is_empty());
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            let bearer = HeaderValue::from_str(&format!("Bearer {key}"));
            let mut bearer = bearer.map_err(|_| format!("the API key in {} is no header text", config.key_env))?;
            bearer.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, bearer);
        }
        let client = client()
            .default_headers(headers)
            // A redirect would carry the prompts to where nobody configured.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout)
            .build();
        let client = client.map_err(|error| format!("no HTTP client can be made: {}", told(error)))?;
        Ok(Self {
            client,
            url: config.url.trim_end_matches('/').to_owned(),
            key,
            key_env: config.key_env.clone(),
            retries: config.retries,
            limiter: Limiter::new(config.requests_per_minute, config.tokens_per_minute),
        })
    }

    /// The answer's body, of at most `limit` bytes, to a request of `tokens`, which `make` makes each time that it is
    /// sent.
    pub(super) async fn body(
        &self,
        tokens: u64,
        limit: u64,
        make: impl Fn(&Client, &str) -> RequestBuilder,
    ) -> Result<Vec<u8>, Failure> {
        self.answer(tokens, limit, make, || Ok(Vec::new())).await
    }

    /// The same as a file in `dir` that has no name, at its start.
    pub(super) async fn file(
        &self,
        limit: u64,
        dir: &Path,
        make: impl Fn(&Client, &str) -> RequestBuilder,
    ) -> Result<File, Failure> {
        let mut file = self.answer(0, limit, make, || files::unnamed(dir)).await?;
        file.rewind().map_err(|error| unwritten(&error))?;
        Ok(file)
    }

    /// Writes the answer's body to what `fresh` makes each time that it begins to come.
    async fn answer<W: Write>(
        &self,
        tokens: u64,
        limit: u64,
        make: impl Fn(&Client, &str) -> RequestBuilder,
        fresh: impl Fn() -> io::Result<W>,
    ) -> Result<W, Failure> {
        let mut attempt = 0;
        loop {
            self.limiter.turn(tokens).await;
            let trouble = match self.once(make(&self.client, &self.url)).await {
                Ok(response) => {
                    let mut out = fresh().map_err(|error| unwritten(&error))?;
                    match all(response, limit, &mut out).await {
                        Ok(()) => return Ok(out),
                        Err(trouble) => trouble,
                    }
                }
                Err(trouble) => trouble,
            };
            self.wait(trouble, attempt).await?;
            attempt += 1;
        }
    }

    /// The body of an answer to a request that is sent once: it must not be done twice.
    pub(super) async fn attempt(&self, make: impl Fn(&Client, &str) -> RequestBuilder) -> Result<Vec<u8>, Trouble> {
        self.limiter.turn(0).await;
        let (response, mut body) = (self.once(make(&self.client, &self.url)).await?, Vec::new());
        all(response, MAX_BODY, &mut body).await?;
        Ok(body)
    }

    /// Waits until the next attempt; an error means that there is none.
    pub(super) async fn wait(&self, trouble: Trouble, attempt: u32) -> Result<(), Failure> {
        let last = attempt == self.retries;
        let wait = match trouble {
            Trouble::ForGood(failure) => return Err(failure),
            Trouble::NoAnswer(problem) if last => return Err(Failure::Endpoint(problem)),
            Trouble::ForNow(problem, _) if last => return Err(Failure::Request(problem)),
            Trouble::ForNow(problem, Some(wait)) if wait > LONGEST_WAIT => {
                let wait = humantime::format_duration(wait);
                return Err(Failure::Endpoint(format!("{problem}; it asks to wait for {wait}: run again then")));
            }
            Trouble::ForNow(_, Some(wait)) => {
                // What the server asks of one holds for all.
                self.limiter.pause(wait);
                wait
            }
            Trouble::ForNow(_, None) | Trouble::NoAnswer(_) => backoff(attempt),
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn once(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        let response = request.send().await.map_err(|error| self.unsent(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let wait = retry_after(response.headers());
        let mut body = Vec::new();
        // What came of it will do.
        let _ = all(response, MAX_BODY, &mut body).await;
        let (message, code) = error_of(&body);
        let problem = self.hidden(format!("{} answered {status}: {message}", self.url));
        Err(match status {
            // The published code of a paid budget that is used up: waiting does not help.
            StatusCode::TOO_MANY_REQUESTS if code.as_deref() == Some("insufficient_quota") => {
                Trouble::ForGood(Failure::Endpoint(problem))
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {
                Trouble::ForNow(problem, wait)
            }
            status if status.is_server_error() => Trouble::ForNow(problem, wait),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let problem = format!("{problem}: put a valid API key into {}", self.key_env);
                Trouble::ForGood(Failure::Endpoint(problem))
            }
            StatusCode::NOT_FOUND => {
                let problem = format!("{problem}: check inference.openai.url and inference.openai.model");
                Trouble::ForGood(Failure::Absent(problem))
            }
            _ => Trouble::ForGood(Failure::Request(problem)),
        })
    }

    fn unsent(&self, error: reqwest::Error) -> Trouble {
        if error.is_timeout() && !error.is_connect() {
            let problem = format!("{} did not answer within inference.openai.timeout", self.url);
            return Trouble::ForNow(problem, None);
        }
        Trouble::NoAnswer(format!("{} cannot be asked ({}): is it running there?", self.url, told(error)))
    }

    /// Some servers quote the key that they refuse.
    fn hidden(&self, text: String) -> String {
        match &self.key {
            Some(key) => text.replace(key.as_str(), "***"),
            None => text,
        }
    }
}

async fn all(mut response: Response, limit: u64, out: &mut impl Write) -> Result<(), Trouble> {
    let broken = |error| Trouble::ForNow(format!("the answer broke off ({})", told(error)), None);
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        bytes += chunk.len() as u64;
        if bytes > limit {
            return Err(Trouble::ForNow(format!("the answer is longer than {limit} bytes"), None));
        }
        out.write_all(&chunk).map_err(|error| Trouble::ForGood(unwritten(&error)))?;
    }
    Ok(())
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::Endpoint(format!("what the endpoint answers cannot be written to the disk: {error}"))
}

/// A body as the API says it should be.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let unread = |error| Failure::Endpoint(format!("the endpoint's answer is not what the API says ({error})"));
    serde_json::from_slice(body).map_err(unread)
}

fn backoff(attempt: u32) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(1 << attempt.min(16)).min(LAST_WAIT);
    // So that those that failed together do not come back together.
    let random = rand::rngs::SysRng.try_next_u32().unwrap_or(0);
    wait.mul_f64(1.0 - f64::from(random) / f64::from(u32::MAX) / 2.0)
}

/// Seconds, or a date, as RFC 9110 has it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = || (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - Utc::now()).to_std().ok();
    text.parse().ok().map(Duration::from_secs).or_else(until)
}

/// `{"error": {"message": ..., "code": ...}}`, or whatever else the body says.
fn error_of(body: &[u8]) -> (String, Option<String>) {
    #[derive(Deserialize)]
    struct Body {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        message: String,
        /// Some servers write a number.
        code: Option<serde_json::Value>,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { error: Told { message, code } }) => {
            (quoted(&message), code.and_then(|code| code.as_str().map(str::to_owned)))
        }
        Err(_) => (quoted(&String::from_utf8_lossy(body)), None),
    }
}

/// The beginning of a text, on one line.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(text: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        let later = (Utc::now() + Duration::from_secs(100)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert!((98..=100).contains(&wait(&later).unwrap().as_secs()), "{later}");
        assert_eq!([wait("Wed, 21 Oct 2015 07:28:00 GMT"), wait("soon"), wait("-1")], [None, None, None]);
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        for (attempt, most) in [(0, 0.5), (1, 1.0), (4, 8.0), (7, 60.0), (40, 60.0)] {
            let wait = backoff(attempt).as_secs_f64();
            assert!(wait >= most / 2.0 && wait <= most, "{attempt}: {wait}");
        }
    }

    #[test]
    fn errors_are_quoted_whatever_they_are() {
        let (message, code) = error_of(br#"{"error":{"message":"slow\ndown","code":"rate_limit_exceeded"}}"#);
        assert_eq!((message.as_str(), code.as_deref()), ("slow down", Some("rate_limit_exceeded")));
        assert_eq!(error_of(br#"{"error":{"message":"no","code":503}}"#), ("no".into(), None));
        assert_eq!(error_of(b"<html>"), ("<html>".into(), None));
        assert_eq!(error_of(&[b'x'; 9000]).0.len(), QUOTED);
    }
}
