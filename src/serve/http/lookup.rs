//! Lookups over HTTP: one, or many that are answered from the same state of the channels.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Http;
use super::payload::{Params, Payload};
use crate::serve::error::{Problem, ServeError};
use crate::serve::json::{
    BatchLookupRequest, BatchLookupResponse, ClustersQuery, ClustersResponse, LookupRequest, LookupResponse,
};

/// Answers one history.
#[utoipa::path(post, path = "/v1/lookup", tag = "lookup", request_body = LookupRequest, responses(
    (status = 200, body = LookupResponse),
    (status = 400, description = "What is asked makes no sense", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such channel", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "No table yet, or too busy", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn lookup(
    State(http): State<Http>,
    Payload(request): Payload<LookupRequest>,
) -> Result<Json<LookupResponse>, ServeError> {
    http.lookups.one(request.question(), LookupResponse::of).map(Json)
}

/// Answers many histories, in order. One invalid lookup fails the call and is named by its index.
#[utoipa::path(post, path = "/v1/lookup:batch", tag = "lookup", request_body = BatchLookupRequest, responses(
    (status = 200, body = BatchLookupResponse),
    (status = 400, description = "What is asked makes no sense", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such channel", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "No table yet, or too busy", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn batch_lookup(
    State(http): State<Http>,
    Payload(request): Payload<BatchLookupRequest>,
) -> Result<Json<BatchLookupResponse>, ServeError> {
    let questions = request.lookups.iter().map(LookupRequest::question);
    let mut results = Vec::with_capacity(questions.len());
    http.lookups.batch(questions, |reply| results.push(LookupResponse::of(reply)))?;
    Ok(Json(BatchLookupResponse { results }))
}

/// Lists the clusters that lookups speak of.
#[utoipa::path(get, path = "/v1/clusters", tag = "lookup", params(ClustersQuery), responses(
    (status = 200, body = ClustersResponse),
    (status = 404, description = "No such channel", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "No table yet", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn clusters(
    State(http): State<Http>,
    Params(query): Params<ClustersQuery>,
) -> Result<impl IntoResponse, ServeError> {
    let (version, table) = http.lookups.table(&query.channel)?;
    // Millions of clusters take a while to write out; lookups on this thread should not wait for it.
    let written = tokio::task::spawn_blocking(move || serde_json::to_vec(&ClustersResponse::of(version, &table)));
    let body = written.await.ok().and_then(Result::ok).ok_or(ServeError::Aborted)?;
    Ok(([(CONTENT_TYPE, "application/json")], body))
}
