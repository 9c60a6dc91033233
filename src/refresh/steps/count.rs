//! Count: transitions stream from the log into the table, the longest keys first, behind what the model answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use futures::TryStreamExt;

use super::ask::Answered;
use super::input::{Input, Source};
use crate::ids::ClusterId;
use crate::interactions::{CountStream, CountsFile, KeyCounts, Popular};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress};
use crate::retrieval;
use crate::store::Draft;
use crate::table::{self, Candidate, Score, TableBuilder};

/// Builds the whole table in a draft of the store. Only keys of the full length were asked for.
pub(in crate::refresh) async fn into_table(
    cycle: &Cycle<'_>,
    input: &Input,
    answered: Option<&Answered>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Draft, RefreshError> {
    let table = &cycle.settings.table;
    let mut draft = cycle.store.draft()?;
    let builder = TableBuilder::new(draft.table(), &input.taxonomy, table.shape(), table.limits())?;
    let mut count = Count { table, builder, keys: 0 };
    let none = Predictions::new();
    let predictions = |key_len| answered.filter(|_| key_len == table.k).map_or(&none, |answered| &answered.run.answers);
    let total = table.k as u64 + 1;
    for key_len in (1..=table.k).rev() {
        let message = format!("keys of {key_len} ({} keys so far)", count.keys);
        progress(Progress { step: "count", done: (table.k - key_len) as u64, total, message });
        let stream = input.source.transitions(key_len).await?;
        count.push_all(stream, predictions(key_len)).await?;
    }
    progress(Progress { step: "count", done: total - 1, total, message: format!("popular ({} keys)", count.keys) });
    match answered {
        Some(answered) => count.finish(input, &answered.popular)?,
        None => count.finish(input, &input.source.popular().await?)?,
    }
    Ok(draft)
}

/// The model's answers, by key.
type Predictions = BTreeMap<Vec<ClusterId>, Vec<Candidate>>;

/// A table in the making.
struct Count<'c> {
    table: &'c table::Config,
    builder: TableBuilder<'c, &'c mut File>,
    keys: u64,
}

impl Count<'_> {
    /// A row for every key that was counted often enough or that the model answered.
    async fn push_all(&mut self, stream: Option<CountStream>, answers: &Predictions) -> Result<(), RefreshError> {
        let mut unseen: BTreeSet<&Vec<ClusterId>> = answers.keys().collect();
        if let Some(mut stream) = stream {
            while let Some(KeyCounts { key, next }) = stream.try_next().await? {
                unseen.remove(&key);
                let seen: u64 = next.iter().map(|&(_, count)| count).sum();
                let supported = seen >= self.table.min_count.of(key.len());
                self.push(&key, answers, if supported { &next } else { &[] })?;
            }
        }
        unseen.into_iter().try_for_each(|key| self.push(key, answers, &[]))
    }

    fn push(
        &mut self,
        key: &[ClusterId],
        answers: &Predictions,
        next: &[(ClusterId, u64)],
    ) -> Result<(), RefreshError> {
        let answers = answers.get(key).map_or(&[][..], Vec::as_slice);
        let row = retrieval::row(key, answers, next, self.table.width);
        if !row.is_empty() {
            self.builder.push(key, &row)?;
            self.keys += 1;
        }
        Ok(())
    }

    fn finish(self, input: &Input, popular: &Popular) -> Result<(), RefreshError> {
        if self.keys == 0 {
            return Err(input.source.without_transitions());
        }
        self.builder.finish(&input.lineage, &popular_row(popular))?;
        Ok(())
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
