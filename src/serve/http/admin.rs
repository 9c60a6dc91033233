//! Operations over HTTP: versions, channels and refreshes, from and to JSON.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio_stream::{Stream, StreamExt};

use super::AdminHttp;
use super::judging::numbered;
use super::payload::{Params, Payload, read};
use crate::ids::{ClusterId, VersionId};
use crate::serve::admin::Admin;
use crate::serve::error::{Problem, ServeError};
use crate::serve::json::*;
use crate::serve::refresh::RefreshAction;
use crate::store::{Note, TaxonomyChange};

/// Lists versions, newest first.
#[utoipa::path(get, path = "/admin/v1/versions", tag = "admin", params(ListVersionsQuery), responses(
    (status = 200, body = ListVersionsResponse),
))]
pub(in crate::serve) async fn versions(
    State(http): State<AdminHttp>,
    Params(query): Params<ListVersionsQuery>,
) -> Result<Json<ListVersionsResponse>, ServeError> {
    let versions = http.admin.versions(query.limit, query.before).await?;
    Ok(Json(ListVersionsResponse { versions: versions.into_iter().map(Version::from).collect() }))
}

/// Shows one version.
#[utoipa::path(get, path = "/admin/v1/versions/{version}", tag = "admin",
    params(("version" = String, Path, description = "`12` or `v12`")), responses(
    (status = 200, body = Version),
    (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn version(
    State(http): State<AdminHttp>,
    Path(version): Path<String>,
) -> Result<Json<Version>, ServeError> {
    Ok(Json(http.admin.version(numbered(&version)?).await?.into()))
}

/// Lists channels.
#[utoipa::path(get, path = "/admin/v1/channels", tag = "admin", responses((status = 200, body = ListChannelsResponse)))]
pub(in crate::serve) async fn channels(
    State(http): State<AdminHttp>,
) -> Result<Json<ListChannelsResponse>, ServeError> {
    let channels = http.admin.channels().await?;
    Ok(Json(ListChannelsResponse { channels: channels.into_iter().map(Channel::from).collect() }))
}

/// Shows one channel and its moves.
#[utoipa::path(get, path = "/admin/v1/channels/{name}", tag = "admin", params(("name" = String, Path)), responses(
    (status = 200, body = Channel),
    (status = 404, description = "No such channel", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn channel(
    State(http): State<AdminHttp>,
    Path(name): Path<String>,
) -> Result<Json<Channel>, ServeError> {
    Ok(Json(http.admin.channel(&name).await?.into()))
}

/// The router knows whole segments only, so the verb behind the channel's name is told apart here.
pub(in crate::serve) async fn change(
    State(http): State<AdminHttp>,
    Path(target): Path<String>,
    request: Request,
) -> Result<Json<Channel>, ServeError> {
    let (admin, max, path) = (&*http.admin, http.max_message, request.uri().path().to_owned());
    match target.rsplit_once(':') {
        Some((name, "publish")) => publish(admin, name, read(request, max).await?).await,
        Some((name, "rollback")) => rollback(admin, name, read(request, max).await?).await,
        Some((name, "blocklist")) => set_blocklist(admin, name, read(request, max).await?).await,
        _ => Err(ServeError::NoRoute { path }),
    }
}

/// Points a channel at a version; answers when lookups are answered from it.
#[utoipa::path(post, path = "/admin/v1/channels/{name}:publish", tag = "admin", request_body = PublishRequest,
    params(("name" = String, Path)), responses(
    (status = 200, body = Channel),
    (status = 404, description = "No such version", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Another taxonomy, or neither passed nor approved", body = Problem, content_type = "application/problem+json"),
))]
async fn publish(admin: &Admin, name: &str, request: PublishRequest) -> Result<Json<Channel>, ServeError> {
    let PublishRequest { version, allow_taxonomy_change, who, why } = request;
    let change = if allow_taxonomy_change { TaxonomyChange::Allowed } else { TaxonomyChange::Refused };
    Ok(Json(admin.publish(name, VersionId(version), Note { who, why }, change).await?.into()))
}

/// Points a channel back at a version it pointed to before; answers when lookups are answered from it.
#[utoipa::path(post, path = "/admin/v1/channels/{name}:rollback", tag = "admin", request_body = RollbackRequest,
    params(("name" = String, Path)), responses(
    (status = 200, body = Channel),
    (status = 404, description = "No such channel", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Nothing before", body = Problem, content_type = "application/problem+json"),
))]
async fn rollback(admin: &Admin, name: &str, request: RollbackRequest) -> Result<Json<Channel>, ServeError> {
    let RollbackRequest { version, who, why } = request;
    let to = (version != 0).then_some(VersionId(version));
    Ok(Json(admin.rollback(name, to, Note { who, why }).await?.into()))
}

/// Replaces the clusters that a channel never predicts; answers when lookups obey.
#[utoipa::path(post, path = "/admin/v1/channels/{name}:blocklist", tag = "admin", request_body = SetBlocklistRequest,
    params(("name" = String, Path)), responses(
    (status = 200, body = Channel),
    (status = 400, description = "An unknown cluster", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such channel", body = Problem, content_type = "application/problem+json"),
))]
async fn set_blocklist(admin: &Admin, name: &str, request: SetBlocklistRequest) -> Result<Json<Channel>, ServeError> {
    let SetBlocklistRequest { clusters, who, why } = request;
    let clusters = clusters.into_iter().map(ClusterId).collect();
    Ok(Json(admin.set_blocklist(name, clusters, Note { who, why }).await?.into()))
}

/// Looks at the store now; answers when what was found is live or refused.
#[utoipa::path(post, path = "/admin/v1/reload", tag = "admin", request_body = ReloadRequest, responses(
    (status = 200, body = ReloadResponse),
))]
pub(in crate::serve) async fn reload(
    State(http): State<AdminHttp>,
    Payload(ReloadRequest {}): Payload<ReloadRequest>,
) -> Result<Json<ReloadResponse>, ServeError> {
    let reloaded = http.admin.reload().await?;
    let channels = reloaded.channels.into_iter().map(Channel::from).collect();
    Ok(Json(ReloadResponse { channels, refused: reloaded.refused }))
}

/// The refresher's state now.
#[utoipa::path(get, path = "/admin/v1/refresh", tag = "admin", responses(
    (status = 200, body = RefreshEvent),
    (status = 409, description = "No refresher", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn refresh_state(State(http): State<AdminHttp>) -> Result<Json<RefreshEvent>, ServeError> {
    let event = http.admin.refresher()?.events.borrow().clone();
    Ok(Json(event.into()))
}

/// Asks the refresher for one run.
#[utoipa::path(post, path = "/admin/v1/refresh", tag = "admin", request_body = RefreshRequest, responses(
    (status = 200, body = RefreshResponse),
    (status = 409, description = "No refresher, or under way", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn refresh(
    State(http): State<AdminHttp>,
    Payload(RefreshRequest { who, why }): Payload<RefreshRequest>,
) -> Result<Json<RefreshResponse>, ServeError> {
    let run = http.admin.refresh(RefreshAction::Start, Note { who, why }).await?;
    Ok(Json(RefreshResponse { run }))
}

/// Ends the run that is under way.
#[utoipa::path(post, path = "/admin/v1/refresh:cancel", tag = "admin", request_body = RefreshRequest, responses(
    (status = 200, body = RefreshResponse),
    (status = 409, description = "Nothing under way", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn cancel_refresh(
    State(http): State<AdminHttp>,
    Payload(RefreshRequest { who, why }): Payload<RefreshRequest>,
) -> Result<Json<RefreshResponse>, ServeError> {
    let run = http.admin.refresh(RefreshAction::Cancel, Note { who, why }).await?;
    Ok(Json(RefreshResponse { run }))
}

/// The refresher's state now, and each change from now on, as server-sent events.
#[utoipa::path(get, path = "/admin/v1/refresh/events", tag = "admin", responses(
    (status = 200, body = RefreshEvent, content_type = "text/event-stream"),
    (status = 409, description = "No refresher", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn refresh_events(
    State(http): State<AdminHttp>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, ServeError> {
    let events = http.admin.refresher()?.watch().map(|event| Event::default().json_data(RefreshEvent::from(event)));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
