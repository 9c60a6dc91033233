//! What every call passes through before it reaches its handler.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::{BoxError, Router};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::load_shed::error::Overloaded;
use tower_http::catch_panic::CatchPanicLayer;

use super::auth::{Guard, guard};
use super::config::Config;
use super::deadline;
use super::error::ServeError;
use super::face::Face;
use super::observe::{Observer, observe};

/// What lookups of all ports share.
#[derive(Clone)]
pub(super) struct Limits {
    calls: Arc<Semaphore>,
    timeout: Duration,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        let calls = config.max_concurrency.get().min(Semaphore::MAX_PERMITS);
        Self { calls: Arc::new(Semaphore::new(calls)), timeout: config.timeout }
    }

    /// Room for one call more, for as long as it is held; `None` where there is none.
    pub(super) fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.calls).try_acquire_owned().ok()
    }

    /// The longest that a call may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// What lookups pass through, outermost first. Probes and metrics do not: they must answer under any load.
pub(super) fn limited(router: Router, face: Face, limits: &Limits) -> Router {
    router.layer(
        ServiceBuilder::new()
            // What the layers below refuse becomes an answer.
            .layer(HandleErrorLayer::new(move |error: BoxError| async move { refused(face, &error) }))
            // A call that finds no room is turned away at once: a queue would only make all of them late.
            .layer(LoadShedLayer::new())
            // Room for so many calls at once, both ports together. A stream gives its room back once it is open.
            .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&limits.calls)))
            // A call whose body trickles in, or whose caller has gone on, gives its room back.
            .layer(from_fn_with_state((face, limits.timeout), deadline::within)),
    )
}

/// What every call passes through, outermost first.
pub(super) fn observed(router: Router, face: Face, observer: Arc<Observer>) -> Router {
    router.layer(
        ServiceBuilder::new()
            // Every call is counted once, at its true end, whatever the layers below make of it.
            .layer(from_fn_with_state(observer, observe))
            // A panic costs the call it happened in, not the connection.
            .layer(CatchPanicLayer::custom(move |panic| panicked(face, panic))),
    )
}

/// What operations pass through: nobody gets past without the token or, where there is none, under a foreign name.
/// No timeout: a publish takes as long as its table's swap.
pub(super) fn guarded(router: Router, face: Face, credentials: Arc<Guard>) -> Router {
    router.layer(from_fn_with_state((face, credentials), guard))
}

fn refused(face: Face, error: &BoxError) -> Response {
    if !error.is::<Overloaded>() {
        tracing::error!(%error, "a layer failed in a way that it never should");
    }
    face.refuse(ServeError::Busy)
}

fn panicked(face: Face, panic: Box<dyn Any + Send>) -> Response {
    report_panic(&*panic);
    face.refuse(ServeError::Panicked)
}

/// Logs what a handler panicked with.
pub(super) fn report_panic(panic: &(dyn Any + Send)) {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    tracing::error!(panic = text, "a handler panicked: this is a defect, please report it");
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::serve::metrics::Metrics;

    async fn fails() -> StatusCode {
        panic!("on purpose")
    }

    fn router(face: Face, metrics: &Metrics) -> Router {
        let config = Config { timeout: Duration::from_millis(20), ..Config::default() };
        let paths = ["/fails".to_owned(), "/sleeps".to_owned()];
        let observer = Observer::new(face, paths, metrics, config.max_message, CancellationToken::new());
        let router = Router::new().route("/fails", get(fails)).route("/sleeps", get(std::future::pending::<()>));
        observed(limited(router, face, &Limits::new(&config)), face, observer)
    }

    async fn call(router: Router, path: &str) -> Response {
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_costs_one_call_and_is_counted() {
        let metrics = Metrics::default();
        let answer = call(router(Face::Http, &metrics), "/fails").await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let answer = call(router(Face::Grpc, &metrics), "/fails").await;
        assert_eq!(answer.headers()["grpc-status"], "13");
        drop(answer);
        let text = metrics.render();
        assert!(text.contains("segue_panics_total 2"), "{text}");
        let counted = r#"segue_requests_total{api="grpc",method="fails",code="INTERNAL"} 1"#;
        assert!(text.contains(counted), "{text}");
    }

    #[tokio::test]
    async fn a_caller_that_waits_less_is_answered_sooner() {
        let limits = Limits { calls: Arc::new(Semaphore::new(1)), timeout: Duration::from_secs(60) };
        let router = Router::new().route("/sleeps", get(std::future::pending::<()>));
        let router = limited(router, Face::Grpc, &limits);
        let request = Request::get("/sleeps").header("grpc-timeout", "10m").body(Body::empty()).unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(10), router.oneshot(request)).await.unwrap().unwrap();
        assert_eq!(answer.headers()["grpc-status"], "4");
    }

    #[tokio::test]
    async fn a_slow_call_is_given_up() {
        let metrics = Metrics::default();
        assert_eq!(call(router(Face::Http, &metrics), "/sleeps").await.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(call(router(Face::Grpc, &metrics), "/sleeps").await.headers()["grpc-status"], "4");
    }
}
