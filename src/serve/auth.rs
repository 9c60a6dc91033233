//! Who may use the admin port.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::config::Config;
use super::error::{ServeError, StartError};
use super::face::Face;

/// What a call to the admin port must show.
pub(super) enum Guard {
    /// The token of `serve.admin_token_file`.
    Token(Token),
    /// Nothing, on loopback; but a web page must not get here by a name of its own that resolves to this machine
    /// (DNS rebinding), so only addresses and `localhost` are answered to.
    Loopback,
}

/// A secret. It has no `Debug`, so that no log shows it.
pub(super) struct Token(Box<[u8]>);

impl Token {
    fn read(path: &Path) -> Result<Self, StartError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| StartError::Token { path: path.into(), source })?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(StartError::NoToken(path.into()));
        }
        Ok(Self(token.as_bytes().into()))
    }

    fn is_borne_by(&self, request: &Request) -> bool {
        let header = request.headers().get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
        let Some((scheme, token)) = header.split_at_checked(BEARER.len()) else { return false };
        scheme.eq_ignore_ascii_case(BEARER) && bool::from(token.ct_eq(&self.0))
    }
}

const BEARER: &[u8] = b"Bearer ";

impl Guard {
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        config.admin_token_file.as_deref().map_or(Ok(Self::Loopback), |path| Token::read(path).map(Self::Token))
    }

    fn check(&self, request: &Request) -> Result<(), ServeError> {
        match self {
            Self::Token(token) if token.is_borne_by(request) => Ok(()),
            Self::Token(_) => Err(ServeError::Unauthenticated),
            Self::Loopback => check_host(request),
        }
    }
}

/// HTTP/2 names the host in the request's target, HTTP/1 in a header.
fn check_host(request: &Request) -> Result<(), ServeError> {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let named = request.uri().authority().map(Authority::as_str).or(header).unwrap_or_default();
    let host = named.parse::<Authority>().map(|authority| authority.host().to_owned()).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    if host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(ServeError::ForeignHost { host: named.into() })
}

/// The layer: a call that shows nothing goes no further.
pub(super) async fn guard(
    State((face, credentials)): State<(Face, Arc<Guard>)>,
    request: Request,
    next: Next,
) -> Response {
    match credentials.check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => face.refuse(error),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(header: &str, value: &str) -> Request {
        Request::get("/").header(header, value).body(Body::empty()).unwrap()
    }

    #[test]
    fn only_the_whole_token_opens() {
        let guard = Guard::Token(Token(b"s3cret".as_slice().into()));
        for (value, opens) in [
            ("Bearer s3cret", true),
            ("bearer s3cret", true),
            ("Bearer s3cre", false),
            ("Bearer s3crets", false),
            ("Bearer ", false),
            ("Basic s3cret", false),
            ("s3cret", false),
        ] {
            assert_eq!(guard.check(&request("authorization", value)).is_ok(), opens, "{value}");
        }
        assert!(guard.check(&request("x", "y")).is_err());
    }

    #[test]
    fn without_a_token_only_local_names_are_answered_to() {
        for (host, answered) in [
            ("127.0.0.1:7072", true),
            ("[::1]:7072", true),
            ("LOCALHOST", true),
            ("localhost.evil.example", false),
            ("evil.example:7072", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(Guard::Loopback.check(&request("host", host)).is_ok(), answered, "{host}");
        }
        assert!(Guard::Loopback.check(&request("x", "y")).is_err());
    }
}
