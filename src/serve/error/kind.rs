//! Every error's name, and what each protocol calls it.

use tonic::Code;

use super::ServeError;
use crate::experiment::DeclareError;
use crate::lookup::LookupError;
use crate::store::StoreError;

/// How one kind of error is told: by name, and by each protocol's code.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Kind {
    /// For machines: the metrics' `reason`, the end of a problem's `type` and, in capitals, `ErrorInfo.reason`.
    pub(in crate::serve) name: &'static str,
    pub(super) title: &'static str,
    pub(super) code: Code,
    pub(super) status: u16,
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
    pub(in crate::serve) fn is_askers(&self) -> bool {
        (400..500).contains(&self.status)
    }

    /// Whether the same call may succeed a moment later.
    pub(super) fn may_retry(&self) -> bool {
        self.status == 503
    }
}

impl ServeError {
    /// The whole mapping, the store's part aside.
    pub(in crate::serve) fn kind(&self) -> Kind {
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
