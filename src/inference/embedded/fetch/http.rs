//! Reading from the network, within limits, from a thread that may wait.

use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf, Bytes};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::header::ACCEPT;
use tokio::runtime::{Builder, Runtime};

use crate::inference::http::{client, told};

/// How long to wait for a host that does not answer, at first and in between.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// How long one file may take.
const WHOLE: Duration = Duration::from_secs(30 * 60);
/// The simple API as JSON where the index has it; any file.
const ACCEPTED: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1";

/// An HTTP client. It blocks, so it must not be used on a thread of an async runtime.
pub(super) struct Client {
    client: reqwest::Client,
    runtime: Runtime,
}

impl Client {
    pub(super) fn new() -> Result<Self, String> {
        let client = client().connect_timeout(CONNECT).read_timeout(ANSWER).timeout(WHOLE).referer(false).build();
        let client = client.map_err(|error| format!("no HTTP client can be made: {}", told(error)))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self { client, runtime: runtime.map_err(|error| format!("no thread can wait for answers: {error}"))? })
    }

    /// A body of at most `limit` bytes: reading beyond them is an error. Redirects are followed, ten at most; what they
    /// lead to on other hosts learns no password.
    pub(super) fn read(&self, url: &Url, limit: u64) -> Result<Body<'_>, String> {
        let shown = shown(url);
        let mut request = self.client.get(shown.clone()).header(ACCEPT, ACCEPTED);
        if let Some((user, password)) = credentials(url) {
            request = request.basic_auth(user, Some(password));
        }
        // Its timers begin with the call.
        let response = self.runtime.block_on(async { request.send().await?.error_for_status() });
        let response = response.map_err(|error| format!("{shown}: {}", told(error)))?;
        Ok(Body { runtime: &self.runtime, response, chunk: Bytes::new(), left: limit })
    }
}

/// What a host answers, as it comes.
pub(super) struct Body<'c> {
    runtime: &'c Runtime,
    response: reqwest::Response,
    chunk: Bytes,
    /// Bytes that may still come.
    left: u64,
}

impl Read for Body<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            let chunk = self.runtime.block_on(self.response.chunk());
            match chunk.map_err(|error| io::Error::other(told(error)))? {
                None => return Ok(0),
                Some(chunk) => self.chunk = chunk,
            }
            let left = self.left.checked_sub(self.chunk.len() as u64);
            self.left = left.ok_or_else(|| io::Error::other("more came than was expected"))?;
        }
        let read = self.chunk.len().min(to.len());
        self.chunk.copy_to_slice(&mut to[..read]);
        Ok(read)
    }
}

/// A URL as the config has it; the error does not repeat it, as it may hold a password.
pub(super) fn parsed(url: &str) -> Result<Url, String> {
    let parsed = Url::parse(url).map_err(|error| format!("the URL set for it cannot be read ({error})"))?;
    let web = ["http", "https"].contains(&parsed.scheme());
    if web { Ok(parsed) } else { Err(format!("{}: is neither http nor https", shown(&parsed))) }
}

/// Without user and password: they are sent, and never shown.
pub(super) fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    // A URL that cannot have either has neither.
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    shown
}

fn credentials(url: &Url) -> Option<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    (!user.is_empty()).then_some((user, password))
}
