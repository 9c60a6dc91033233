//! Count: transitions stream from the log into the table, the longest keys first.

use std::collections::BTreeMap;
use std::fs::File;

use futures::TryStreamExt;

use super::input::{Input, Source};
use crate::ids::ClusterId;
use crate::interactions::{CountStream, CountsFile, KeyCounts, Popular};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress};
use crate::retrieval;
use crate::store::Draft;
use crate::table::{self, Candidate, Score, TableBuilder};

/// Builds the whole table in a draft of the store.
pub(in crate::refresh) async fn into_table(
    cycle: &Cycle<'_>,
    input: &Input,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Draft, RefreshError> {
    let table = &cycle.settings.table;
    let mut draft = cycle.store.draft()?;
    let builder = TableBuilder::new(draft.table(), &input.taxonomy, table.shape(), table.limits())?;
    let mut count = Count { table, builder, keys: 0 };
    let total = table.k as u64 + 1;
    for key_len in (1..=table.k).rev() {
        let message = format!("keys of {key_len} ({} keys so far)", count.keys);
        progress(Progress { step: "count", done: (table.k - key_len) as u64, total, message });
        if let Some(stream) = input.source.transitions(key_len).await? {
            count.push_all(stream).await?;
        }
    }
    progress(Progress { step: "count", done: total - 1, total, message: format!("popular ({} keys)", count.keys) });
    let popular = input.source.popular().await?;
    count.finish(input, &popular)?;
    Ok(draft)
}

/// A table in the making.
struct Count<'c> {
    table: &'c table::Config,
    builder: TableBuilder<'c, &'c mut File>,
    keys: u64,
}

impl Count<'_> {
    async fn push_all(&mut self, mut stream: CountStream) -> Result<(), RefreshError> {
        while let Some(KeyCounts { key, next }) = stream.try_next().await? {
            let seen: u64 = next.iter().map(|&(_, count)| count).sum();
            let row = retrieval::row(&key, &[], &next, self.table.width);
            if !row.is_empty() && seen >= self.table.min_count.of(key.len()) {
                self.builder.push(&key, &row)?;
                self.keys += 1;
            }
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
    async fn transitions(&self, key_len: usize) -> Result<Option<CountStream>, RefreshError> {
        match self {
            Self::Log { log, window } => Ok(Some(log.count(key_len, window).await?)),
            Self::Counts(files) => match &files[key_len - 1] {
                Some(file) => Ok(Some(file.count().await?)),
                None => Ok(None),
            },
        }
    }

    async fn popular(&self) -> Result<Popular, RefreshError> {
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
