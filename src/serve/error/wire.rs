//! How each protocol tells an error: a gRPC status with details (`google.rpc.ErrorInfo`, `BadRequest`, `RetryInfo`), and
//! problem JSON (RFC 9457) for HTTP.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytesize::ByteSize;
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use utoipa::ToSchema;

use super::{Kind, ServeError};

/// When to ask again, where that makes sense.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes of a text in a status. It is sent as a header, twice at most and in up to three times as many bytes, and callers
/// take 16 KiB of headers.
const LONGEST: usize = 1024;

/// What a caller sent may stand in a text, however long it was.
fn short(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str(" ...");
    }
    text
}

impl From<ServeError> for Status {
    fn from(error: ServeError) -> Self {
        let (kind, field, message) = (error.kind(), short(error.field()), short(error.to_string()));
        let mut details = ErrorDetails::new();
        details.set_error_info(kind.name.to_ascii_uppercase(), "segue", [("field".to_owned(), field.clone())]);
        if kind.code == Code::InvalidArgument && !field.is_empty() {
            details.add_bad_request_violation(field, &message);
        }
        if kind.may_retry() {
            details.set_retry_info(Some(RETRY_AFTER));
        }
        let mut status = Status::with_error_details(kind.code, message, details);
        // From here `kind_of` reads it again when the answer is counted.
        status.set_source(Arc::new(error));
        status
    }
}

/// Problem details for an HTTP API (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:segue:problem:limit_too_high",
    "title": "The limit is too high",
    "status": 400,
    "detail": "limit is 9, the table's rows are 8 wide: ask for at most 8",
    "field": "limit",
}))]
pub(in crate::serve) struct Problem {
    /// Names the kind of problem, for machines.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do about it.
    detail: String,
    /// The field of the request that is wrong, where it is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    field: String,
}

impl IntoResponse for ServeError {
    fn into_response(self) -> Response {
        let kind = self.kind();
        let problem = Problem {
            kind: format!("urn:segue:problem:{}", kind.name),
            title: kind.title,
            status: kind.status,
            detail: self.to_string(),
            field: self.field(),
        };
        let status = StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if kind.may_retry() {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER.as_secs().into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(kind);
        response
    }
}

/// The kind of error that an answer of either protocol tells, if it tells one of ours.
pub(in crate::serve) fn kind_of(response: &Response) -> Option<Kind> {
    let extensions = response.extensions();
    let of_status = || kind_of_status(extensions.get::<Status>()?);
    extensions.get::<Kind>().copied().or_else(of_status)
}

/// The kind of error that a status was made from.
pub(in crate::serve) fn kind_of_status(status: &Status) -> Option<Kind> {
    let source = std::error::Error::source(status)?;
    source.downcast_ref::<ServeError>().map(ServeError::kind)
}

/// Says as gRPC implementations do that a message is too large; tonic calls it OUT_OF_RANGE, which we never use.
pub(in crate::serve) fn sized(status: Status, max: ByteSize) -> Status {
    if status.code() == Code::OutOfRange { ServeError::TooLarge { max }.into() } else { status }
}
