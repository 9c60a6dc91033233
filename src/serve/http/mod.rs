//! The HTTP face: the same contract as JSON, and what machines watch.

pub(super) mod admin;
pub(super) mod experiments;
pub(super) mod judging;
pub(super) mod lookup;
pub(super) mod ops;
mod payload;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{Method, Uri};
use axum::routing::{MethodRouter, get, post};

use super::admin::Admin;
use super::config::Config;
use super::error::ServeError;
use super::face::Face;
use super::health::Readiness;
use super::layers::{Limits, limited};
use super::lookups::Lookups;
use super::metrics::Metrics;
use bytesize::ByteSize;

/// What handlers of the HTTP port share.
#[derive(Clone)]
pub(super) struct Http {
    lookups: Arc<Lookups>,
    readiness: Readiness,
    metrics: Metrics,
    max_message: ByteSize,
}

impl Http {
    pub(super) fn new(lookups: Arc<Lookups>, readiness: Readiness, metrics: Metrics, max_message: ByteSize) -> Self {
        Self { lookups, readiness, metrics, max_message }
    }
}

impl FromRef<Http> for ByteSize {
    fn from_ref(http: &Http) -> Self {
        http.max_message
    }
}

/// What handlers of the admin port share.
#[derive(Clone)]
pub(super) struct AdminHttp {
    admin: Arc<Admin>,
    max_message: ByteSize,
}

impl FromRef<AdminHttp> for ByteSize {
    fn from_ref(http: &AdminHttp) -> Self {
        http.max_message
    }
}

/// Lookups.
fn lookup_routes() -> [(&'static str, MethodRouter<Http>); 3] {
    [
        ("/v1/lookup", post(lookup::lookup)),
        ("/v1/lookup:batch", post(lookup::batch_lookup)),
        ("/v1/clusters", get(lookup::clusters)),
    ]
}

/// What machines watch.
fn ops_routes() -> [(&'static str, MethodRouter<Http>); 4] {
    [
        ("/livez", get(ops::livez)),
        ("/readyz", get(ops::readyz)),
        ("/metrics", get(ops::metrics)),
        ("/openapi.json", get(ops::openapi)),
    ]
}

/// Everything served on the admin port as JSON.
fn admin_routes() -> [(&'static str, MethodRouter<AdminHttp>); 11] {
    [
        ("/admin/v1/versions", get(admin::versions)),
        // Posted to as `{version}:approve` and `{version}:reject`.
        ("/admin/v1/versions/{version}", get(admin::version).post(judging::judge)),
        ("/admin/v1/explain", post(judging::explain)),
        ("/admin/v1/channels", get(admin::channels)),
        // Posted to as `{name}:publish`, `{name}:rollback` and `{name}:blocklist`.
        ("/admin/v1/channels/{name}", get(admin::channel).post(admin::change)),
        ("/admin/v1/experiments", get(experiments::experiments).post(experiments::set_experiment)),
        ("/admin/v1/experiments:end", post(experiments::end_experiment)),
        ("/admin/v1/reload", post(admin::reload)),
        ("/admin/v1/refresh", get(admin::refresh_state).post(admin::refresh)),
        ("/admin/v1/refresh:cancel", post(admin::cancel_refresh)),
        ("/admin/v1/refresh/events", get(admin::refresh_events)),
    ]
}

/// What the HTTP port serves.
pub(super) fn router(http: Http, limits: &Limits) -> Router {
    let lookups = assemble(lookup_routes(), http.clone());
    limited(lookups, Face::Http, limits).merge(assemble(ops_routes(), http)).fallback(no_route)
}

/// What the admin port serves as JSON.
pub(super) fn admin_router(admin: Arc<Admin>, config: &Config) -> Router {
    assemble(admin_routes(), AdminHttp { admin, max_message: config.max_message }).fallback(no_route)
}

/// The paths of [`router`].
pub(super) fn paths() -> Vec<String> {
    names(lookup_routes()).chain(names(ops_routes())).collect()
}

/// The paths of [`admin_router`].
pub(super) fn admin_paths() -> Vec<String> {
    names(admin_routes()).collect()
}

fn names<S, const N: usize>(routes: [(&'static str, MethodRouter<S>); N]) -> impl Iterator<Item = String> {
    routes.into_iter().map(|(path, _)| path.to_owned())
}

fn assemble<S, const N: usize>(routes: [(&'static str, MethodRouter<S>); N], state: S) -> Router
where
    S: Clone + Send + Sync + 'static,
{
    let add = |router: Router<S>, (path, methods)| router.route(path, methods);
    routes.into_iter().fold(Router::new(), add).method_not_allowed_fallback(no_method).with_state(state)
}

async fn no_route(uri: Uri) -> ServeError {
    ServeError::NoRoute { path: uri.path().into() }
}

async fn no_method(method: Method, uri: Uri) -> ServeError {
    ServeError::NoMethod { method: method.to_string(), path: uri.path().into() }
}
