//! Answering, whatever the protocol: the current snapshot, the lookup, the counting.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::Guard;
use tonic::Status;

use super::config::Config;
use super::error::{ServeError, kind_of_status};
use super::experiments::{LiveExperiments, Running};
use super::metrics::{Metrics, Tally};
use crate::experiment::Assigned;
use crate::ids::VersionId;
use crate::lookup::{self, Answer, Query, Rules, Scratch};
use crate::store::Mapping;
use crate::store::live::{Live, LiveChannels, Snapshot};
use crate::table::Table;

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// One question and the channel it goes to; an empty channel means the default one, an empty unit none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    pub(super) query: Query<'q>,
    pub(super) channel: &'q str,
    pub(super) unit: &'q str,
}

/// One answer, wholly from `version`, and the arm where an experiment took over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'r> {
    pub(super) version: VersionId,
    pub(super) answer: Answer<'r>,
    pub(super) assigned: Option<Assigned<'r>>,
}

/// Where a question goes.
#[derive(Clone, Copy)]
struct Route<'r> {
    channel: &'r str,
    assigned: Option<Assigned<'r>>,
    /// The unit's arm, whose channel has no table: the experiment's own channel answers, and no arm is named.
    unserved: Option<Assigned<'r>>,
}

impl Route<'_> {
    /// Whether an experiment has to know of it.
    fn counts(&self) -> bool {
        self.assigned.is_some() || self.unserved.is_some()
    }
}

/// Answers questions from the live tables.
pub(super) struct Lookups {
    live: Live,
    experiments: LiveExperiments,
    channel: String,
    max_history: usize,
    max_batch: usize,
    metrics: Metrics,
}

impl Lookups {
    pub(super) fn new(live: Live, experiments: LiveExperiments, config: &Config, metrics: Metrics) -> Self {
        let (max_history, max_batch) = (config.max_history.get(), config.max_batch.get());
        Self { live, experiments, channel: config.channel.clone(), max_history, max_batch, metrics }
    }

    /// Answers one question, wholly from one version, which `make` is told.
    pub(super) fn one<T>(&self, question: Question<'_>, make: impl FnOnce(Reply<'_>) -> T) -> Result<T, ServeError> {
        let channels = self.live.load();
        let dealing = Dealing::default();
        let route = self.route(&channels, &question, &dealing);
        let snapshot = self.snapshot(&channels, route.channel)?;
        let answered = with_scratch(|scratch| {
            let answer = lookup::lookup(&snapshot.table, self.rules(snapshot), question.query, scratch)?;
            let mut tally = Tally::default();
            tally.note(answer);
            Ok((make(Reply { version: snapshot.version, answer, assigned: route.assigned }), tally))
        });
        answered.map(|(made, tally)| {
            self.metrics.add(&tally);
            dealing.count(&route, question.unit, snapshot.version);
            made
        })
    }

    /// Answers all questions, in order, from the same state of the channels, or fails for all of them.
    pub(super) fn batch<'q>(
        &self,
        questions: impl ExactSizeIterator<Item = Question<'q>> + Clone,
        mut take: impl FnMut(Reply<'_>),
    ) -> Result<(), ServeError> {
        if questions.len() > self.max_batch {
            return Err(ServeError::BatchTooLong { len: questions.len(), max: self.max_batch });
        }
        let mut tally = Tally::default();
        let channels = self.live.load();
        let mut take = |reply: Reply<'_>| {
            tally.note(reply.answer);
            take(reply);
        };
        let answered = with_scratch(|scratch| self.runs(&channels, questions, scratch, &mut take));
        self.metrics.add(&tally);
        answered
    }

    /// Answers questions run by run: those of one channel, next to each other, are one batch of its table.
    fn runs<'q>(
        &self,
        channels: &LiveChannels,
        questions: impl Iterator<Item = Question<'q>> + Clone,
        scratch: &mut Scratch,
        take: &mut impl FnMut(Reply<'_>),
    ) -> Result<(), ServeError> {
        let dealing = Dealing::default();
        // A batch that fails has served nobody.
        let mut served = Vec::new();
        // Questions are drawn some ahead of their answers; this shows each again, with its answer.
        let mut answering = questions.clone();
        let mut questions = questions.peekable();
        let mut index = 0;
        while let Some(first) = questions.peek() {
            let first = self.route(channels, first, &dealing);
            let in_batch = |index, error| match error {
                ServeError::NoTable => error,
                error => ServeError::InBatch { index, error: Box::new(error) },
            };
            let snapshot = self.snapshot(channels, first.channel).map_err(|error| in_batch(index, error))?;
            let run = std::iter::from_fn(|| {
                questions.next_if(|question| self.route(channels, question, &dealing).channel == first.channel)
            });
            let queries = run.map(|question| question.query);
            lookup::lookup_batch(&snapshot.table, self.rules(snapshot), queries, scratch, |answer| {
                let answer = answer.map_err(|error| in_batch(index, error.into()))?;
                let asked = answering.next().map(|question| (question.unit, self.route(channels, &question, &dealing)));
                let assigned = asked.as_ref().and_then(|(_, route)| route.assigned);
                take(Reply { version: snapshot.version, answer, assigned });
                served.extend(
                    asked.filter(|(_, route)| route.counts()).map(|(unit, route)| (route, unit, snapshot.version)),
                );
                index += 1;
                Ok::<_, ServeError>(())
            })?;
        }
        served.into_iter().for_each(|(route, unit, version)| dealing.count(&route, unit, version));
        Ok(())
    }

    /// The channel that a question is answered from. Without a unit it costs a branch.
    fn route<'r>(&'r self, channels: &LiveChannels, question: &Question<'r>, dealing: &'r Dealing) -> Route<'r> {
        let channel = if question.channel.is_empty() { &self.channel } else { question.channel };
        let own = Route { channel, assigned: None, unserved: None };
        if question.unit.is_empty() {
            return own;
        }
        match dealing.assign(&self.experiments, channel, question.unit) {
            None => own,
            Some(assigned) if channels.get(assigned.channel).is_none() => Route { unserved: Some(assigned), ..own },
            assigned @ Some(Assigned { channel, .. }) => Route { channel, assigned, unserved: None },
        }
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

/// The experiments of one request, and its time: taken with its first unit, the same for all of them.
#[derive(Default)]
struct Dealing(OnceCell<(Guard<Arc<Running>>, i64)>);

impl Dealing {
    fn assign(&self, experiments: &LiveExperiments, channel: &str, unit: &str) -> Option<Assigned<'_>> {
        let (running, now) = self.0.get_or_init(|| {
            let running = experiments.load();
            let now = if running.is_empty() { 0 } else { micros() };
            (running, now)
        });
        running.assign(channel, unit, *now)
    }

    fn count(&self, route: &Route<'_>, unit: &str, version: VersionId) {
        let Some((running, now)) = self.0.get() else { return };
        if let Some(assigned) = route.assigned {
            running.served(assigned, unit, version.0, *now);
        }
        if let Some(unserved) = route.unserved {
            running.unserved(unserved);
        }
    }
}

/// Since 1970.
fn micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

/// Lends this thread's scratch. A panic in `work` leaves a fresh one behind, never a half-used one.
fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let done = work(&mut scratch);
    SCRATCH.set(scratch);
    done
}
