//! The unary and the batch call without generated code: the message is read where it lies, the answer is written
//! straight from the table, and both within the connection's own task.
//!
//! Everything else that a gRPC port serves (streams, health, reflection) goes through tonic. A caller sees no
//! difference: one conformance suite runs over both.

mod call;
mod decode;
mod encode;
mod incoming;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request};
use bytesize::ByteSize;
use h2::RecvStream;
use h2::server::SendResponse;

use self::call::Method;
use super::connection::Accepted;
use crate::serve::layers::Limits;
use crate::serve::lookups::Lookups;
use crate::serve::metrics::Series;
use crate::serve::observe::Observer;

pub(super) use self::call::LeanCall;

const LOOKUP: &str = "/segue.v1.LookupService/Lookup";
const BATCH_LOOKUP: &str = "/segue.v1.LookupService/BatchLookup";

/// Bytes before each message: the flag that says whether it is compressed, and its length.
const PREFIX: usize = 5;

/// What lean calls share.
pub(super) struct Lean {
    lookups: Arc<Lookups>,
    limits: Limits,
    max_message: ByteSize,
    /// Of `Lookup` and of `BatchLookup`.
    series: [Arc<Series>; 2],
}

impl Lean {
    pub(super) fn new(lookups: Arc<Lookups>, limits: Limits, observer: &Observer, max_message: ByteSize) -> Self {
        let series = [LOOKUP, BATCH_LOOKUP].map(|path| observer.series(path));
        Self { lookups, limits, max_message, series }
    }

    /// Takes a call that it can answer; gives back any other.
    pub(super) fn take(
        self: &Arc<Self>,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) -> Result<LeanCall, Box<Accepted>> {
        let method = match request.uri().path() {
            _ if is_compressed(request.headers()) => return Err(Box::new((request, respond))),
            LOOKUP => Method::One,
            BATCH_LOOKUP => Method::Batch,
            _ => return Err(Box::new((request, respond))),
        };
        Ok(LeanCall::new(self, method, request, respond))
    }
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity")
}
