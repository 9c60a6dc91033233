//! What machines watch: probes, metrics, the description of the API.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Http;
use crate::serve::error::{Problem, ServeError};
use crate::serve::openapi;

/// Whether the process answers at all.
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = String)))]
pub(in crate::serve) async fn livez() -> &'static str {
    "alive\n"
}

/// Whether lookups should be sent here: from the first table on, until the server drains.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, body = String),
    (status = 503, description = "Not now", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn readyz(State(http): State<Http>) -> Result<&'static str, ServeError> {
    http.readiness.check().map(|()| "ready\n")
}

/// The server's metrics in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String)))]
pub(in crate::serve) async fn metrics(State(http): State<Http>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], http.metrics.render())
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, body = Object)))]
pub(in crate::serve) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::document())
}
