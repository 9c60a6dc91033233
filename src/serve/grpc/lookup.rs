//! `segue.v1.LookupService`.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::lookup::Query;
use crate::proto::lookup_service_server::LookupService;
use crate::proto::{BatchLookupRequest, BatchLookupResponse, LookupRequest, LookupResponse, Prediction, Source};
use crate::serve::error::sized;
use crate::serve::lookups::{Lookups, Question, Reply};
use crate::table;
use bytesize::ByteSize;

pub(in crate::serve) struct LookupFace {
    lookups: Arc<Lookups>,
    max_message: ByteSize,
}

impl LookupFace {
    pub(super) fn new(lookups: Arc<Lookups>, max_message: ByteSize) -> Self {
        Self { lookups, max_message }
    }
}

#[tonic::async_trait]
impl LookupService for LookupFace {
    async fn lookup(&self, request: Request<LookupRequest>) -> Result<Response<LookupResponse>, Status> {
        Ok(Response::new(self.lookups.one(question(request.get_ref()), response)?))
    }

    async fn batch_lookup(
        &self,
        request: Request<BatchLookupRequest>,
    ) -> Result<Response<BatchLookupResponse>, Status> {
        let lookups = &request.get_ref().lookups;
        let mut results = Vec::with_capacity(lookups.len());
        self.lookups.batch(lookups.iter().map(question), |reply| results.push(response(reply)))?;
        Ok(Response::new(BatchLookupResponse { results }))
    }

    type StreamLookupStream = Pin<Box<dyn Stream<Item = Result<LookupResponse, Status>> + Send>>;

    /// Each message is answered when the client takes the answer, from what is live then.
    async fn stream_lookup(
        &self,
        request: Request<Streaming<LookupRequest>>,
    ) -> Result<Response<Self::StreamLookupStream>, Status> {
        let (lookups, max_message) = (Arc::clone(&self.lookups), self.max_message);
        let answers = request.into_inner().map(move |message| {
            let message = message.map_err(|status| sized(status, max_message));
            let answer = message.and_then(|asked| Ok(lookups.one(question(&asked), response)?));
            answer.inspect_err(|status| lookups.count_refused(status))
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn question(request: &LookupRequest) -> Question<'_> {
    let query = Query { history: &request.history, limit: request.limit, exclude: &request.exclude };
    Question { query, channel: &request.channel, unit: &request.unit }
}

fn response(Reply { version, answer, assigned }: Reply<'_>) -> LookupResponse {
    let predictions = answer.predictions.iter().map(|prediction| Prediction {
        cluster: prediction.cluster.0,
        score: prediction.score.into(),
        source: source(prediction.source).into(),
        level: prediction.level,
    });
    LookupResponse {
        predictions: predictions.collect(),
        version: version.0,
        matched: answer.matched,
        experiment: assigned.map_or_else(String::new, |assigned| assigned.experiment.into()),
        arm: assigned.map_or_else(String::new, |assigned| assigned.arm.into()),
    }
}

/// As the contract numbers sources.
pub(super) fn source(source: table::Source) -> Source {
    match source {
        table::Source::Llm => Source::Llm,
        table::Source::Retrieved => Source::Retrieved,
        table::Source::Popular => Source::Popular,
    }
}
