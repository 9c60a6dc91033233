//! Tables counted from a stretch of a log, in memory.

use std::io::Cursor;

use futures::TryStreamExt;

use super::error::ReplayError;
use crate::evaluation::Successors;
use crate::interactions::{KeyCounts, Log, Popular, Window};
use crate::retrieval;
use crate::table::{self, Candidate, Lineage, Score, Shape, Source, Table, TableBuilder};
use crate::taxonomy::Taxonomy;

/// The table that a refresh without a language model would publish from `window`; without `rows`, one that only knows
/// what is popular. It is held in memory.
pub async fn build(
    log: &Log,
    taxonomy: &Taxonomy,
    config: &table::Config,
    window: &Window,
    rows: bool,
) -> Result<Table<Vec<u8>>, ReplayError> {
    let mut file = Cursor::new(Vec::new());
    let Shape { k, width } = config.shape();
    let mut builder = TableBuilder::new(&mut file, taxonomy, config.shape(), config.limits())?;
    for key_len in (1..=k).rev().filter(|_| rows) {
        let mut counts = log.count(key_len, window).await?;
        while let Some(KeyCounts { key, next }) = counts.try_next().await? {
            let seen: u64 = next.iter().map(|&(_, count)| count).sum();
            let row = retrieval::row(&key, &[], &next, width);
            if seen >= config.min_count.of(key_len) && !row.is_empty() {
                builder.push(&key, &row)?;
            }
        }
    }
    let lineage = Lineage { window_from: window.from, window_to: window.to, ..Lineage::default() };
    builder.finish(&lineage, &popular(&log.popular(window).await?))?;
    Ok(Table::open(file.into_inner())?)
}

/// What followed each key of `k` in `window`.
pub async fn counted(log: &Log, k: usize, window: &Window) -> Result<Successors, ReplayError> {
    let mut successors = Successors::default();
    let mut counts = log.count(k, window).await?;
    while let Some(KeyCounts { key, next }) = counts.try_next().await? {
        successors.add(key, next);
    }
    Ok(successors)
}

fn popular(popular: &Popular) -> Vec<Candidate> {
    let score = |sequences| Score::share(sequences, popular.sequences);
    let clusters = popular.clusters.iter();
    clusters
        .map(|&(cluster, sequences)| Candidate { cluster, score: score(sequences), source: Source::Popular })
        .collect()
}
