//! What a refresh would make at some moment: a table, and the questions that a language model would be asked for it.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;

use crate::ids::ClusterId;
use crate::interactions::{KeyCounts, Log, Window};
use crate::replay::build::build;
use crate::replay::error::ReplayError;
use crate::retrieval::{self, Context, Global, Granularity, Similarity};
use crate::table::{self, Table};
use crate::taxonomy::Taxonomy;

/// A table in memory.
pub(super) type Counted = Table<Vec<u8>>;

/// What a refresh would make.
#[derive(Clone)]
pub(super) struct Fresh {
    pub(super) table: Arc<Counted>,
    /// For each of the table's longest keys a hash over it and what its prompt shows: two questions of one hash are
    /// taken as the same, which in 64 bits is no concern. Prompts show no counts, so a question is new only where what
    /// is told is.
    pub(super) questions: Arc<HashSet<u64>>,
}

impl Fresh {
    pub(super) async fn count(
        log: &Log,
        taxonomy: &Taxonomy,
        (table, retrieval): (&table::Config, &retrieval::Config),
        window: &Window,
        at: DateTime<Utc>,
    ) -> Result<Self, ReplayError> {
        let counted = build(log, taxonomy, table, window, true).await?;
        let questions = questions(log, &counted, retrieval, at).await?;
        Ok(Self { table: Arc::new(counted), questions: Arc::new(questions) })
    }
}

type Recent = BTreeMap<Vec<ClusterId>, Vec<(ClusterId, u64)>>;

async fn questions(
    log: &Log,
    table: &Counted,
    config: &retrieval::Config,
    at: DateTime<Utc>,
) -> Result<HashSet<u64>, ReplayError> {
    let length = TimeDelta::from_std(config.window).unwrap_or(TimeDelta::MAX);
    let earlier = |at: DateTime<Utc>| at.checked_sub_signed(length).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let now = recent(log, table.k(), earlier(at), at).await?;
    let before = match config.similarity {
        Similarity::Trend => recent(log, table.k(), earlier(earlier(at)), earlier(at)).await?,
        Similarity::Frequency => Recent::new(),
    };
    let counts = |of: &'_ Recent, key: &[ClusterId]| of.get(key).cloned().unwrap_or_default();
    let everyones = global(config, &now, &before);
    let question = |key: Vec<ClusterId>| {
        let mut hasher = DefaultHasher::new();
        let of_key = || Context::instance(config, &counts(&now, &key), &counts(&before, &key)).shown();
        (&key, everyones.clone().unwrap_or_else(of_key)).hash(&mut hasher);
        hasher.finish()
    };
    Ok(table.iter(table.k()).map(|(key, _)| question(key)).collect())
}

/// What every prompt shows, where all show the same.
fn global(config: &retrieval::Config, now: &Recent, before: &Recent) -> Option<retrieval::Shown> {
    let keys: std::collections::BTreeSet<_> = now.keys().chain(before.keys()).collect();
    let counts = |of: &Recent, key| of.get(key).cloned().unwrap_or_default();
    (config.granularity == Granularity::Global).then(|| {
        let mut global = Global::new(config);
        keys.into_iter().for_each(|key| global.add(key, &counts(now, key), &counts(before, key)));
        global.finish().shown()
    })
}

async fn recent(log: &Log, k: usize, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Recent, ReplayError> {
    let mut counts = log.count(k, &Window { from: Some(from), to: Some(to) }).await?;
    let mut recent = Recent::new();
    while let Some(KeyCounts { key, next }) = counts.try_next().await? {
        recent.insert(key, next);
    }
    Ok(recent)
}
