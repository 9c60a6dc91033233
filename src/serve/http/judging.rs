//! Judging versions by hand, and telling why they answer as they do.

use axum::Json;
use axum::extract::{Path, Request, State};

use super::AdminHttp;
use super::payload::{Payload, read};
use crate::ids::{ClusterId, ParseVersionError, VersionId};
use crate::serve::admin::Admin;
use crate::serve::error::{Problem, ServeError};
use crate::serve::json::*;
use crate::store::Note;

/// A version's number as paths write it.
pub(super) fn numbered(version: &str) -> Result<VersionId, ServeError> {
    version.parse().map_err(|error: ParseVersionError| ServeError::Malformed {
        field: "version".into(),
        problem: error.to_string(),
    })
}

/// The verb stands behind the version's number.
pub(in crate::serve) async fn judge(
    State(http): State<AdminHttp>,
    Path(target): Path<String>,
    request: Request,
) -> Result<Json<Version>, ServeError> {
    let (admin, max, path) = (&*http.admin, http.max_message, request.uri().path().to_owned());
    match target.rsplit_once(':') {
        Some((version, "approve")) => approve(admin, numbered(version)?, read(request, max).await?).await,
        Some((version, "reject")) => reject(admin, numbered(version)?, read(request, max).await?).await,
        _ => Err(ServeError::NoRoute { path }),
    }
}

/// Lets a version go live whatever its gates said; it is live once it is published.
#[utoipa::path(post, path = "/admin/v1/versions/{version}:approve", tag = "admin", request_body = JudgeRequest,
    params(("version" = String, Path, description = "`12` or `v12`")), responses(
    (status = 200, body = Version),
    (status = 400, description = "No reason", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
))]
async fn approve(admin: &Admin, version: VersionId, request: JudgeRequest) -> Result<Json<Version>, ServeError> {
    let JudgeRequest { who, why } = request;
    Ok(Json(admin.approve(version, Note { who, why }).await?.into()))
}

/// Keeps a version from going live.
#[utoipa::path(post, path = "/admin/v1/versions/{version}:reject", tag = "admin", request_body = JudgeRequest,
    params(("version" = String, Path, description = "`12` or `v12`")), responses(
    (status = 200, body = Version),
    (status = 400, description = "No reason", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is live", body = Problem, content_type = "application/problem+json"),
))]
async fn reject(admin: &Admin, version: VersionId, request: JudgeRequest) -> Result<Json<Version>, ServeError> {
    let JudgeRequest { who, why } = request;
    Ok(Json(admin.reject(version, Note { who, why }).await?.into()))
}

/// Tells why a history is answered as it is.
#[utoipa::path(post, path = "/admin/v1/explain", tag = "admin", request_body = ExplainRequest, responses(
    (status = 200, body = Explanation),
    (status = 404, description = "No key of it was seen", body = Problem, content_type = "application/problem+json"),
    (status = 501, description = "No explanations", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn explain(
    State(http): State<AdminHttp>,
    Payload(ExplainRequest { history, version, channel }): Payload<ExplainRequest>,
) -> Result<Json<Explanation>, ServeError> {
    let version = (version != 0).then_some(VersionId(version));
    let history = history.into_iter().map(ClusterId).collect();
    Ok(Json(http.admin.explain(version, &channel, history).await?.into()))
}
