//! Answering, whatever the protocol: the current snapshot, the lookup, the counting.

use std::cell::Cell;
use std::sync::Arc;

use tonic::Status;

use super::config::Config;
use super::error::{ServeError, kind_of_status};
use super::metrics::{Metrics, Tally};
use crate::ids::VersionId;
use crate::lookup::{self, Answer, Query, Rules, Scratch};
use crate::store::Mapping;
use crate::store::live::{Live, LiveChannels, Snapshot};
use crate::table::Table;

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// One question and the channel it goes to; an empty channel means the default one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    pub(super) query: Query<'q>,
    pub(super) channel: &'q str,
}

/// Answers questions from the live tables.
pub(super) struct Lookups {
    live: Live,
    channel: String,
    max_history: usize,
    max_batch: usize,
    metrics: Metrics,
}

impl Lookups {
    pub(super) fn new(live: Live, config: &Config, metrics: Metrics) -> Self {
        let (max_history, max_batch) = (config.max_history.get(), config.max_batch.get());
        Self { live, channel: config.channel.clone(), max_history, max_batch, metrics }
    }

    /// Answers one question, wholly from one version, which `make` is told.
    pub(super) fn one<T>(
        &self,
        question: Question<'_>,
        make: impl FnOnce(VersionId, Answer<'_>) -> T,
    ) -> Result<T, ServeError> {
        let channels = self.live.load();
        let snapshot = self.snapshot(&channels, question.channel)?;
        let answered = with_scratch(|scratch| {
            let answer = lookup::lookup(&snapshot.table, self.rules(snapshot), question.query, scratch)?;
            let mut tally = Tally::default();
            tally.note(answer);
            Ok((make(snapshot.version, answer), tally))
        });
        answered.map(|(made, tally)| {
            self.metrics.add(&tally);
            made
        })
    }

    /// Answers all questions, in order, from the same state of the channels, or fails for all of them.
    pub(super) fn batch<'q>(
        &self,
        questions: impl ExactSizeIterator<Item = Question<'q>>,
        mut take: impl FnMut(VersionId, Answer<'_>),
    ) -> Result<(), ServeError> {
        if questions.len() > self.max_batch {
            return Err(ServeError::BatchTooLong { len: questions.len(), max: self.max_batch });
        }
        let mut tally = Tally::default();
        let channels = self.live.load();
        let mut take = |version, answer: Answer<'_>| {
            tally.note(answer);
            take(version, answer);
        };
        let answered = with_scratch(|scratch| self.runs(&channels, questions, scratch, &mut take));
        self.metrics.add(&tally);
        answered
    }

    /// Answers questions run by run: those of one channel, next to each other, are one batch of its table.
    fn runs<'q>(
        &self,
        channels: &LiveChannels,
        questions: impl Iterator<Item = Question<'q>>,
        scratch: &mut Scratch,
        take: &mut impl FnMut(VersionId, Answer<'_>),
    ) -> Result<(), ServeError> {
        let mut questions = questions.peekable();
        let mut index = 0;
        while let Some(&Question { channel, .. }) = questions.peek() {
            let in_batch = |index, error| ServeError::InBatch { index, error: Box::new(error) };
            let snapshot = self.snapshot(channels, channel).map_err(|error| in_batch(index, error))?;
            let run = std::iter::from_fn(|| questions.next_if(|question| question.channel == channel));
            let queries = run.map(|question| question.query);
            lookup::lookup_batch(&snapshot.table, self.rules(snapshot), queries, scratch, |answer| {
                take(snapshot.version, answer.map_err(|error| in_batch(index, error.into()))?);
                index += 1;
                Ok::<_, ServeError>(())
            })?;
        }
        Ok(())
    }

    /// A table to read rather than to ask, and its version.
    pub(super) fn table(&self, channel: &str) -> Result<(VersionId, Arc<Table<Mapping>>), ServeError> {
        let channels = self.live.load();
        let snapshot = self.snapshot(&channels, channel)?;
        Ok((snapshot.version, Arc::clone(&snapshot.table)))
    }

    /// Counts a refusal within a stream; those of whole calls are counted where the call ends.
    pub(super) fn count_refused(&self, status: &Status) {
        if let Some(kind) = kind_of_status(status) {
            self.metrics.refused(&kind);
        }
    }

    fn rules<'s>(&self, snapshot: &'s Snapshot) -> Rules<'s> {
        Rules { blocklist: &snapshot.blocklist, max_history: self.max_history }
    }

    fn snapshot<'c>(&self, channels: &'c LiveChannels, channel: &str) -> Result<&'c Snapshot, ServeError> {
        let name = if channel.is_empty() { &self.channel } else { channel };
        channels.get(name).ok_or_else(|| {
            if channels.is_empty() {
                return ServeError::NoTable;
            }
            let known = channels.iter().map(|snapshot| snapshot.channel.clone());
            ServeError::UnknownChannel { channel: name.into(), known: known.collect() }
        })
    }
}

/// Lends this thread's scratch. A panic in `work` leaves a fresh one behind, never a half-used one.
fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let done = work(&mut scratch);
    SCRATCH.set(scratch);
    done
}
