//! The two protocols, where they differ in how a call ends.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

use super::error::ServeError;

/// How a caller speaks to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Grpc,
    Http,
}

/// A call whose client went away before the answer was whole, in HTTP; gRPC calls it CANCELLED.
const CLIENT_GONE: u16 = 499;

/// One more than the highest gRPC code, UNAUTHENTICATED.
const GRPC_CODES: usize = 17;

impl Face {
    /// As metrics label it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Face::Grpc => "grpc",
            Face::Http => "http",
        }
    }

    /// Turns an error into this protocol's answer.
    pub(super) fn refuse(self, error: ServeError) -> Response {
        match self {
            Face::Grpc => Status::from(error).into_http(),
            Face::Http => error.into_response(),
        }
    }

    /// The code of a call whose end nobody waited for.
    pub(super) const fn gone(self) -> u16 {
        match self {
            Face::Grpc => Code::Cancelled as u16,
            Face::Http => CLIENT_GONE,
        }
    }

    /// How many values [`Face::code_index`] has.
    pub(super) const fn codes(self) -> usize {
        match self {
            Face::Grpc => GRPC_CODES,
            Face::Http => 500,
        }
    }

    /// Codes without gaps at the start: HTTP's begin at 100.
    pub(super) const fn code_index(self, code: u16) -> usize {
        match self {
            Face::Grpc => code as usize,
            Face::Http => code.saturating_sub(100) as usize,
        }
    }

    /// As metrics and logs show a code: `INVALID_ARGUMENT`, `400`.
    pub(super) fn code_name(self, code: u16) -> String {
        match self {
            Face::Grpc => upper_snake(&format!("{:?}", Code::from_i32(code.into()))),
            Face::Http => code.to_string(),
        }
    }

    /// The code that an answer's head tells; `None` where the trailers will.
    pub(super) fn head_code(self, head: &Response) -> Option<u16> {
        match self {
            Face::Grpc => grpc_code(head.headers()).or_else(|| not_grpc(head.status())),
            Face::Http => Some(head.status().as_u16()),
        }
    }
}

/// The `grpc-status` of headers or trailers.
pub(super) fn grpc_code(headers: &axum::http::HeaderMap) -> Option<u16> {
    headers.get(Status::GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// A gRPC port that answers in plain HTTP, as tonic does to a wrong content type.
fn not_grpc(status: StatusCode) -> Option<u16> {
    (status != StatusCode::OK).then_some(Code::Unknown as u16)
}

fn upper_snake(camel: &str) -> String {
    let mut name = String::with_capacity(camel.len() + 4);
    let mut after_lower = false;
    for letter in camel.chars() {
        if after_lower && letter.is_ascii_uppercase() {
            name.push('_');
        }
        after_lower = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_that_people_know() {
        for (code, name) in [(0, "OK"), (3, "INVALID_ARGUMENT"), (4, "DEADLINE_EXCEEDED"), (16, "UNAUTHENTICATED")] {
            assert_eq!(Face::Grpc.code_name(code), name);
            assert!(Face::Grpc.code_index(code) < Face::Grpc.codes());
        }
        assert_eq!(Face::Http.code_name(404), "404");
        assert!(Face::Http.code_index(599) < Face::Http.codes());
    }
}
