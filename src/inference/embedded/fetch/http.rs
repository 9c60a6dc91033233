//! Reading from the network, within limits.

use std::io::Read;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};
use url::Url;

/// How long to wait for a host that does not answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// How long one file may take.
const WHOLE: Duration = Duration::from_secs(30 * 60);
/// The simple API as JSON where the index has it; any file.
const ACCEPTED: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1";

/// An HTTP client.
pub(super) struct Client(Agent);

impl Client {
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = Agent::config_builder().tls_config(tls).timeout_connect(Some(CONNECT));
        let config = config.timeout_recv_response(Some(ANSWER)).timeout_global(Some(WHOLE));
        Self(config.build().into())
    }

    /// A body of at most `limit` bytes: reading beyond them is an error.
    pub(super) fn read(&self, url: &Url, limit: u64) -> Result<impl Read + use<>, String> {
        let shown = shown(url);
        let mut request = self.0.get(shown.as_str()).header("Accept", ACCEPTED);
        if let Some(credentials) = credentials(url) {
            request = request.header("Authorization", format!("Basic {credentials}"));
        }
        let response = request.call().map_err(|error| format!("{shown}: {error}"))?;
        Ok(response.into_body().into_with_config().limit(limit).reader())
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

fn credentials(url: &Url) -> Option<String> {
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    (!user.is_empty()).then(|| STANDARD.encode([user, password].join(&b':')))
}
