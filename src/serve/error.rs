//! What can go wrong, and the one place that says how each protocol tells it: a gRPC status with details
//! (`google.rpc.ErrorInfo`, `BadRequest`, `RetryInfo`), and problem JSON (RFC 9457) for HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use utoipa::ToSchema;

use crate::experiment::DeclareError;
use crate::ids::{ClusterId, VersionId};
use crate::lookup::LookupError;
use crate::store::StoreError;
use bytesize::ByteSize;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The admin port would be open to others, without credentials.
    #[error(
        "serve.admin_addr is {0}, which other machines may reach: name a serve.admin_token_file, or listen on 127.0.0.1"
    )]
    AdminExposed(SocketAddr),
    /// The token's file cannot be read.
    #[error("serve.admin_token_file {path} cannot be read: {source}", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The token's file holds no token.
    #[error("serve.admin_token_file {path} is no token: one line of visible ASCII characters is needed", path = .0.display())]
    NoToken(PathBuf),
    /// No call could ever be answered.
    #[error("serve.timeout is 0s, no call could be answered: set it to 1s, say")]
    NoTimeout,
    /// The address cannot be listened on.
    #[error("serve.{field} {addr} cannot be listened on: {source}; stop what uses the port, or set another address")]
    Bind {
        /// The config's field.
        field: &'static str,
        /// The address.
        addr: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The socket cannot be listened on.
    #[error("serve.grpc_socket {path} cannot be listened on: {source}; stop what uses it, or name another file in a folder that this user may write", path = path.display())]
    BindSocket {
        /// The socket's file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The threads that answer cannot be started.
    #[error("the threads that answer lookups cannot be started: {0}; set serve.workers lower")]
    Workers(io::Error),
    /// The descriptors built into the binary are damaged.
    #[error("the gRPC descriptors of this build cannot be read: {0}; install it again")]
    Descriptors(String),
}

/// Why a call gets no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error("lookups[{index}]: {error}")]
    InBatch { index: usize, error: Box<ServeError> },
    #[error("the batch has {len} lookups, at most {max} are taken: send it in parts")]
    BatchTooLong { len: usize, max: usize },
    #[error("there is no channel `{channel}`; there are: {}", known.join(", "))]
    UnknownChannel { channel: String, known: Vec<String> },
    #[error("no table has been published to this server yet: publish one, or try again soon")]
    NoTable,
    #[error("{problem}{}", at(field))]
    Malformed { field: String, problem: String },
    #[error("the content type is {found}: send application/json")]
    ContentType { found: String },
    #[error("the message is larger than {max}: send it in parts, or raise serve.max_message")]
    TooLarge { max: ByteSize },
    #[error("nothing is served at {path}; /openapi.json of the HTTP port lists what is")]
    NoRoute { path: String },
    #[error("{method} is not served at {path}; the Allow header lists what is")]
    NoMethod { method: String, path: String },
    #[error("too many calls are in work: try again in a moment, or raise serve.max_concurrency")]
    Busy,
    #[error("the call took longer than {}", humantime::format_duration(*.after))]
    Timeout { after: Duration },
    #[error("the server met a defect while answering; its log says where")]
    Panicked,
    #[error("the server is shutting down: ask another one")]
    Draining,
    #[error("the admin port asks for its token: send `authorization: Bearer TOKEN`, as in serve.admin_token_file")]
    Unauthenticated,
    #[error("the admin port answers to IP addresses and localhost, not to `{host}`: set serve.admin_token_file first")]
    ForeignHost { host: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Declare(DeclareError),
    #[error("cluster {cluster} is not in the taxonomy of {version}, which is live: GET /v1/clusters lists them")]
    UnknownCluster { cluster: ClusterId, version: VersionId },
    #[error("{version} has no key for this history: it is answered from popular")]
    NeverSeen { version: VersionId },
    #[error("channel `{channel}` points at {version} now, but this server could not take it: {why}")]
    NotLive { channel: String, version: VersionId, why: String },
    #[error("the change of experiment `{experiment}` is kept, but this server could not take it: {why}")]
    NotRun { experiment: String, why: String },
    #[error("this server runs no refresher: run `segue refresh`, or start the server with one")]
    NoRefresher,
    #[error("the refresh {run} is under way: cancel it, or wait for its end")]
    RefreshUnderWay { run: String },
    #[error("no refresh is under way")]
    NoRefreshUnderWay,
    #[error("the refresher does not answer: {0}")]
    RefresherGone(String),
    #[error("a worker of the server ended before its work was done; its log says why")]
    Aborted,
}

fn at(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!(" (at `{field}`)") }
}

/// How one kind of error is told: by name, and by each protocol's code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// For machines: the metrics' `reason`, the end of a problem's `type` and, in capitals, `ErrorInfo.reason`.
    pub(super) name: &'static str,
    title: &'static str,
    code: Code,
    status: u16,
}

impl Kind {
    const fn new(name: &'static str, title: &'static str, code: Code, status: u16) -> Self {
        Self { name, title, code, status }
    }

    const fn invalid(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Code::InvalidArgument, 400)
    }

    const fn missing(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Code::NotFound, 404)
    }

    const fn conflict(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Code::FailedPrecondition, 409)
    }

    const fn later(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Code::Unavailable, 503)
    }

    const fn internal(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Code::Internal, 500)
    }

    /// Whether the asker can mend it.
    pub(super) fn is_askers(&self) -> bool {
        (400..500).contains(&self.status)
    }

    /// Whether the same call may succeed a moment later.
    fn may_retry(&self) -> bool {
        self.status == 503
    }
}

/// When to ask again, where that makes sense.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl ServeError {
    /// The whole mapping, the store's part aside.
    pub(super) fn kind(&self) -> Kind {
        use Code as C;
        match self {
            Self::Lookup(LookupError::Limit { .. }) => Kind::invalid("limit_too_high", "The limit is too high"),
            Self::Lookup(LookupError::TooLong { .. }) => Kind::invalid("list_too_long", "A list is too long"),
            Self::InBatch { error, .. } => error.kind(),
            Self::BatchTooLong { .. } => Kind::invalid("batch_too_long", "The batch is too long"),
            Self::UnknownChannel { .. } => Kind::missing("unknown_channel", "No such channel"),
            Self::NoTable => Kind::later("no_table", "No table yet"),
            Self::Malformed { .. } => Kind::invalid("malformed", "The request cannot be read"),
            Self::Panicked => Kind::internal("panicked", "Internal error"),
            Self::Draining => Kind::later("draining", "Shutting down"),
            Self::Store(error) => store_kind(error),
            Self::Declare(error) => declare_kind(error),
            Self::UnknownCluster { .. } => Kind::invalid("unknown_cluster", "No such cluster"),
            Self::NeverSeen { .. } => Kind::missing("never_seen", "No such key"),
            Self::NotLive { .. } => Kind::internal("not_live", "Not taken live"),
            Self::NotRun { .. } => Kind::internal("not_run", "Not run here"),
            Self::NoRefresher => Kind::conflict("no_refresher", "No refresher"),
            Self::NoRefreshUnderWay => Kind::conflict("no_refresh_under_way", "No refresh is under way"),
            Self::RefresherGone(_) => Kind::later("refresher_gone", "The refresher is away"),
            Self::Aborted => Kind::internal("aborted", "Internal error"),
            Self::ContentType { .. } => Kind::new("content_type", "Wrong content type", C::InvalidArgument, 415),
            Self::TooLarge { .. } => Kind::new("too_large", "The message is too large", C::ResourceExhausted, 413),
            Self::NoRoute { .. } => Kind::new("no_route", "Nothing is here", C::Unimplemented, 404),
            Self::NoMethod { .. } => Kind::new("no_method", "Method not allowed", C::Unimplemented, 405),
            Self::Busy => Kind::new("busy", "The server is busy", C::ResourceExhausted, 503),
            Self::Timeout { .. } => Kind::new("timeout", "The call took too long", C::DeadlineExceeded, 504),
            Self::Unauthenticated => Kind::new("unauthenticated", "No valid token", C::Unauthenticated, 401),
            Self::ForeignHost { .. } => Kind::new("foreign_host", "Foreign host", C::PermissionDenied, 403),
            Self::RefreshUnderWay { .. } => Kind::new("refresh_under_way", "A refresh is under way", C::Aborted, 409),
        }
    }

    /// The field of the request that is wrong, as in `lookups[3].limit`; empty where it is none.
    fn field(&self) -> String {
        match self {
            Self::Lookup(LookupError::Limit { .. }) => "limit".into(),
            Self::Lookup(LookupError::TooLong { field, .. }) => (*field).into(),
            Self::InBatch { index, error } => format!("lookups[{index}].{}", error.field()),
            Self::BatchTooLong { .. } => "lookups".into(),
            Self::UnknownChannel { .. } => "channel".into(),
            Self::Malformed { field, .. } => field.clone(),
            Self::UnknownCluster { .. } => "clusters".into(),
            Self::Store(StoreError::NoteTooLong { field, .. }) => (*field).into(),
            Self::Store(StoreError::NoReason { .. }) => "why".into(),
            Self::NeverSeen { .. } => "history".into(),
            Self::Declare(_) => "experiment".into(),
            Self::Store(StoreError::NoVersion { .. } | StoreError::NeverThere { .. }) => "version".into(),
            Self::Store(StoreError::NoChannel { .. } | StoreError::ChannelName { .. }) => "channel".into(),
            _ => String::new(),
        }
    }
}

fn declare_kind(error: &DeclareError) -> Kind {
    match error {
        DeclareError::Config(error) | DeclareError::WithConfig(error) if error.is_conflict() => {
            Kind::conflict("experiment_conflict", "It disturbs another experiment")
        }
        DeclareError::Config(_) | DeclareError::WithConfig(_) => {
            Kind::invalid("bad_experiment", "The experiment cannot be run")
        }
        DeclareError::Configured(_) => Kind::conflict("configured_experiment", "The config declares it"),
        DeclareError::Salt { .. } => Kind::conflict("experiment_salt", "Another salt"),
        DeclareError::NoChannel { .. } => Kind::conflict("experiment_channel", "No such channel"),
        DeclareError::NotRunning { .. } => Kind::missing("unknown_experiment", "No such experiment"),
        DeclareError::Settings { .. } => Kind::internal("damaged_store", "The store is damaged"),
        DeclareError::Store(error) => store_kind(error),
    }
}

impl From<DeclareError> for ServeError {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Store(error) => Self::Store(error),
            error => Self::Declare(error),
        }
    }
}

fn store_kind(error: &StoreError) -> Kind {
    match error {
        StoreError::NoVersion { .. } => Kind::missing("unknown_version", "No such version"),
        StoreError::NoChannel { .. } => Kind::missing("unknown_channel", "No such channel"),
        StoreError::ChannelName { .. } => Kind::invalid("channel_name", "Not a channel's name"),
        StoreError::NoteTooLong { .. } => Kind::invalid("note_too_long", "The note is too long"),
        StoreError::Taxonomy { .. } => Kind::conflict("taxonomy_change", "Another taxonomy"),
        StoreError::NothingBefore { .. } => Kind::conflict("nothing_before", "Nothing to roll back to"),
        StoreError::NeverThere { .. } => Kind::conflict("never_there", "The channel was never there"),
        StoreError::NotAdmitted { .. } => Kind::conflict("not_admitted", "Neither passed nor approved"),
        StoreError::NoReason { .. } => Kind::invalid("no_reason", "A reason is missing"),
        StoreError::Live { .. } => Kind::conflict("version_is_live", "A channel points at the version"),
        StoreError::NoExplanations { .. } => {
            Kind::new("no_explanations", "The version has no explanations", Code::Unimplemented, 501)
        }
        StoreError::Table { .. } | StoreError::Exchanged { .. } => {
            Kind::conflict("damaged_table", "The table is damaged")
        }
        StoreError::Config { .. } | StoreError::Io { .. } | StoreError::Explanation { .. } | StoreError::Model(_) => {
            Kind::internal("store_failed", "The store failed")
        }
        StoreError::Foreign { .. } | StoreError::Damaged { .. } => {
            Kind::internal("damaged_store", "The store is damaged")
        }
    }
}

impl From<ServeError> for Status {
    fn from(error: ServeError) -> Self {
        let (kind, field, message) = (error.kind(), error.field(), error.to_string());
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
    "title": "The limit exceeds the table's width",
    "status": 400,
    "detail": "limit is 9, the table's rows are 8 wide: ask for at most 8",
    "field": "limit",
}))]
pub(super) struct Problem {
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
pub(super) fn kind_of(response: &Response) -> Option<Kind> {
    let extensions = response.extensions();
    let of_status = || kind_of_status(extensions.get::<Status>()?);
    extensions.get::<Kind>().copied().or_else(of_status)
}

/// The kind of error that a status was made from.
pub(super) fn kind_of_status(status: &Status) -> Option<Kind> {
    let source = std::error::Error::source(status)?;
    source.downcast_ref::<ServeError>().map(ServeError::kind)
}

/// Says as gRPC implementations do that a message is too large; tonic calls it OUT_OF_RANGE, which we never use.
pub(super) fn sized(status: Status, max: ByteSize) -> Status {
    if status.code() == Code::OutOfRange { ServeError::TooLarge { max }.into() } else { status }
}
