//! Count: transitions stream from the log into the table, the longest keys first, behind what the model answered.

use std::collections::BTreeMap;
use std::fs::File;

use futures::TryStreamExt;

use super::ask::Answered;
use super::explain::Explain;
use super::input::{Input, Source};
use crate::ids::ClusterId;
use crate::interactions::{CountStream, CountsFile, KeyCounts, Popular};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress};
use crate::retrieval;
use crate::store::{Draft, Mapping};
use crate::table::{self, Candidate, Score, Table, TableBuilder};

/// Builds the whole table in a draft of the store. Only keys of the full length were asked for.
pub(in crate::refresh) async fn into_table(
    cycle: &Cycle<'_>,
    input: &Input,
    answered: Option<&Answered>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Draft, RefreshError> {
    let mut draft = cycle.store.draft()?;
    let writer = cycle.settings.refresh.explain.then(|| draft.explain(cycle.settings.table.k)).transpose()?;
    let explain = writer.map(|writer| Explain::new(writer, answered));
    let known = answered.map(|answered| (&answered.run.answers, &answered.popular));
    build(&cycle.settings.table, input, known, &mut draft, explain, progress).await?;
    Ok(draft)
}

/// Builds the whole table in `draft`, and why its rows are what they are in `explain`. What is `known` already are the
/// model's answers, which lead the rows, and what is popular; without, successors lead, and that is counted too.
pub(super) async fn build(
    table: &table::Config,
    input: &Input,
    known: Option<(&Predictions, &Popular)>,
    draft: &mut Draft,
    explain: Option<Explain<'_>>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), RefreshError> {
    let builder = TableBuilder::new(draft.table(), &input.taxonomy, table.shape(), table.limits())?;
    let mut count = Count { table, builder, explain, keys: 0 };
    let none = Predictions::new();
    let total = table.k as u64 + 1;
    for key_len in (1..=table.k).rev() {
        let message = format!("keys of {key_len} ({} keys so far)", count.keys);
        progress(Progress { step: "count", done: (table.k - key_len) as u64, total, message });
        let stream = input.source.transitions(key_len).await?;
        let answers = known.filter(|_| key_len == table.k).map_or(&none, |(answers, _)| answers);
        count.push_all(stream, answers).await?;
    }
    progress(Progress { step: "count", done: total - 1, total, message: format!("popular ({} keys)", count.keys) });
    match known {
        Some((_, popular)) => count.finish(input, popular),
        None => count.finish(input, &input.source.popular().await?),
    }
}

/// A table that nobody publishes; `None` where no transition was made.
pub(super) async fn private(
    cycle: &Cycle<'_>,
    input: &Input,
    known: Option<(&Predictions, &Popular)>,
) -> Result<Option<Table<Mapping>>, RefreshError> {
    let mut draft = cycle.store.draft()?;
    match build(&cycle.settings.table, input, known, &mut draft, None, &mut |_| {}).await {
        Err(RefreshError::NoTransitions { .. }) => Ok(None),
        built => Ok(Some(built.and_then(|()| Ok(draft.open()?))?)),
    }
}

/// The model's answers, by key.
pub(super) type Predictions = BTreeMap<Vec<ClusterId>, Vec<Candidate>>;

/// A table in the making.
struct Count<'c> {
    table: &'c table::Config,
    builder: TableBuilder<'c, &'c mut File>,
    explain: Option<Explain<'c>>,
    keys: u64,
}

impl Count<'_> {
    /// A row for every key that was counted often enough or that the model answered, in the order of keys, in which both
    /// come.
    async fn push_all(&mut self, stream: Option<CountStream>, answers: &Predictions) -> Result<(), RefreshError> {
        let mut answers = answers.iter().peekable();
        if let Some(mut stream) = stream {
            while let Some(KeyCounts { key, next }) = stream.try_next().await? {
                while let Some((unseen, answer)) = answers.next_if(|(answered, _)| **answered < key) {
                    self.push(unseen, answer, Vec::new())?;
                }
                let answer = answers.next_if(|(answered, _)| **answered == key).map_or(&[][..], |(_, answer)| answer);
                self.push(&key, answer, next)?;
            }
        }
        answers.try_for_each(|(unseen, answer)| self.push(unseen, answer, Vec::new()))
    }

    fn push(
        &mut self,
        key: &[ClusterId],
        answer: &[Candidate],
        next: Vec<(ClusterId, u64)>,
    ) -> Result<(), RefreshError> {
        let seen: u64 = next.iter().map(|&(_, count)| count).sum();
        let supported = seen >= self.table.min_count.of(key.len());
        let row = retrieval::row(key, answer, if supported { &next } else { &[] }, self.table.width);
        if !row.is_empty() {
            self.builder.push(key, &row)?;
            self.keys += 1;
        }
        match &mut self.explain {
            Some(explain) => explain.push(key, seen, next, row, self.table.width),
            None => Ok(()),
        }
    }

    fn finish(self, input: &Input, popular: &Popular) -> Result<(), RefreshError> {
        if self.keys == 0 {
            return Err(input.source.without_transitions());
        }
        self.builder.finish(&input.lineage, &popular_row(popular))?;
        self.explain.map_or(Ok(()), Explain::finish)
    }
}

/// Every cluster seen, by its share of sequences.
fn popular_row(popular: &Popular) -> Vec<Candidate> {
    let candidate = |&(cluster, sequences): &(ClusterId, u64)| Candidate {
        cluster,
        score: Score::share(sequences, popular.sequences),
        source: table::Source::Popular,
    };
    popular.clusters.iter().map(candidate).collect()
}

impl Source {
    /// The counts of one key length; `None` where counts made elsewhere leave it out.
    pub(super) async fn transitions(&self, key_len: usize) -> Result<Option<CountStream>, RefreshError> {
        match self {
            Self::Log { log, window } => Ok(Some(log.count(key_len, window).await?)),
            Self::Counts(files) => match &files[key_len - 1] {
                Some(file) => Ok(Some(file.count().await?)),
                None => Ok(None),
            },
        }
    }

    pub(super) async fn popular(&self) -> Result<Popular, RefreshError> {
        match self {
            Self::Log { log, window } => Ok(log.popular(window).await?),
            Self::Counts(files) => match files.iter().flatten().next() {
                Some(shortest) => met(shortest).await,
                None => Ok(Popular { clusters: Vec::new(), sequences: 0 }),
            },
        }
    }

    fn without_transitions(&self) -> RefreshError {
        let (source_name, remedy) = match self {
            Self::Log { window, .. } => (
                format!("the window {window}"),
                "widen it (refresh.window, --from, --to) or the positive expression, or lower table.min_count",
            ),
            Self::Counts(files) => {
                let paths = files.iter().flatten().map(|file| file.path().display().to_string());
                (paths.collect::<Vec<_>>().join(", "), "give files with rows, or lower table.min_count")
            }
        };
        RefreshError::NoTransitions { source_name, remedy }
    }
}

/// Popularity as counts made elsewhere tell it. They know no sequences, so a cluster's number is that of the transitions
/// of the shortest keys in which it stands, and its share is of those.
async fn met(file: &CountsFile) -> Result<Popular, RefreshError> {
    let mut met: BTreeMap<ClusterId, u64> = BTreeMap::new();
    let mut transitions = 0;
    let mut stream = file.count().await?;
    while let Some(KeyCounts { key, next }) = stream.try_next().await? {
        let seen: u64 = next.iter().map(|&(_, count)| count).sum();
        transitions += seen;
        for (cluster, count) in key.into_iter().map(|cluster| (cluster, seen)).chain(next) {
            *met.entry(cluster).or_default() += count;
        }
    }
    let mut clusters: Vec<_> = met.into_iter().collect();
    clusters.sort_by_key(|&(cluster, count)| (std::cmp::Reverse(count), cluster));
    Ok(Popular { clusters, sequences: transitions })
}
