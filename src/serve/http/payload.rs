//! Reading requests, so that whatever is wrong with one is told as problem JSON.

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use crate::serve::config::bytes;
use crate::serve::error::ServeError;
use bytesize::ByteSize;

/// The JSON body of a request.
pub(in crate::serve) struct Payload<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Payload<T>
where
    ByteSize: FromRef<S>,
{
    type Rejection = ServeError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ServeError> {
        read(request, ByteSize::from_ref(state)).await.map(Self)
    }
}

/// Reads a JSON body of at most `max`. Another content type is refused: browsers send JSON to another origin only after
/// asking, which this server does not answer.
pub(super) async fn read<T: DeserializeOwned>(request: Request, max: ByteSize) -> Result<T, ServeError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("missing");
    let essence = content_type.split(';').next().unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(ServeError::ContentType { found: content_type.into() });
    }
    parse(&collect(request, max).await?)
}

async fn collect(request: Request, max: ByteSize) -> Result<Bytes, ServeError> {
    axum::body::to_bytes(request.into_body(), bytes(max)).await.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(|source| source.is::<LengthLimitError>()) {
            return ServeError::TooLarge { max };
        }
        ServeError::Malformed { field: String::new(), problem: format!("the body broke off: {error}") }
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ServeError> {
    serde_json::from_slice(body).map_err(|error| {
        // Read again, only now at the cost of keeping track of where in the document we are.
        let mut document = serde_json::Deserializer::from_slice(body);
        let located = serde_path_to_error::deserialize::<_, T>(&mut document);
        let path = located.err().map(|error| error.path().to_string()).unwrap_or_default();
        // Where the document itself breaks off, the path ends in `?`; the whole document is `.`.
        let field = path.trim_end_matches(['.', '?']).to_owned();
        ServeError::Malformed { field, problem: format!("the body is not what this call takes: {error}") }
    })
}

/// The parameters behind a path's `?`.
pub(in crate::serve) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ServeError> {
        let query = Query::try_from_uri(&parts.uri);
        let Query(params) =
            query.map_err(|error| ServeError::Malformed { field: String::new(), problem: error.body_text() })?;
        Ok(Self(params))
    }
}
