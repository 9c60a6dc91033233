//! What can go wrong. `kind` names it and says what each protocol calls it, `wire` tells it.

mod kind;
mod start;
mod wire;

use std::time::Duration;

use bytesize::ByteSize;

use crate::experiment::DeclareError;
use crate::ids::{ClusterId, VersionId};
use crate::lookup::LookupError;
use crate::store::StoreError;

pub(super) use kind::Kind;
pub use start::StartError;
pub(super) use wire::{Problem, kind_of, kind_of_status, sized};

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

impl ServeError {
    /// The field of the request that is wrong, as in `lookups[3].limit`; empty where it is none.
    fn field(&self) -> String {
        match self {
            Self::Lookup(LookupError::Limit { .. }) => "limit".into(),
            Self::Lookup(LookupError::TooLong { field, .. }) => (*field).into(),
            Self::InBatch { index, error } => match error.field() {
                field if field.is_empty() => field,
                field => format!("lookups[{index}].{field}"),
            },
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

impl From<DeclareError> for ServeError {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Store(error) => Self::Store(error),
            error => Self::Declare(error),
        }
    }
}
