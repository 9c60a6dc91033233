//! Retrieve: which keys are asked for, and the recent behaviour that each one's prompt shows.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use futures::TryStreamExt;

use super::input::{Input, Source};
use crate::ids::ClusterId;
use crate::inference::{Observed, Planned, prompt};
use crate::interactions::{CountStream, KeyCounts, Popular, Window};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress};
use crate::retrieval::{self, Context, Global, Granularity, Similarity};

/// What is asked about.
pub(in crate::refresh) struct Retrieved {
    /// The keys in the order in which they matter.
    pub(in crate::refresh) plan: Arc<[Planned]>,
    pub(in crate::refresh) popular: Popular,
}

pub(in crate::refresh) async fn plan(
    cycle: &Cycle<'_>,
    input: &Input,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Retrieved, RefreshError> {
    let (inference, k) = (&cycle.settings.inference, cycle.settings.table.k);
    let mut tell = |done, message| progress(Progress { step: "retrieve", done, total: 3, message });
    tell(0, "active clusters".into());
    let popular = input.source.popular().await?;
    tell(1, format!("keys of {k} ({} active clusters)", popular.clusters.len()));
    let mut observed = Observed::new(inference.keys, inference.max_keys);
    if let Some(mut counts) = input.source.transitions(k).await? {
        while let Some(KeyCounts { key, next }) = counts.try_next().await? {
            observed.add(&key, next.iter().map(|&(_, count)| count).sum());
        }
    }
    let active: Vec<ClusterId> = popular.clusters.iter().map(|&(cluster, _)| cluster).collect();
    let keys = observed.finish(k, &active);
    tell(2, format!("recent successors of {} keys", keys.len()));
    let contexts = shown(cycle, input, &keys).await?;
    let planned = keys.into_iter().zip(contexts).map(|(key, context)| Planned { key, context });
    let plan: Arc<[Planned]> = planned.collect();
    tell(3, format!("{} keys", plan.len()));
    Ok(Retrieved { plan, popular })
}

/// What the prompts of `keys` show, in their order.
pub(super) async fn shown(
    cycle: &Cycle<'_>,
    input: &Input,
    keys: &[Vec<ClusterId>],
) -> Result<Vec<Context>, RefreshError> {
    match cycle.settings.inference.prompt.template {
        prompt::Template::Base => Ok(vec![Context::default(); keys.len()]),
        prompt::Template::Rag => contexts(cycle, input, keys).await,
    }
}

/// The contexts of `keys`, in their order.
async fn contexts(cycle: &Cycle<'_>, input: &Input, keys: &[Vec<ClusterId>]) -> Result<Vec<Context>, RefreshError> {
    let (config, k) = (&cycle.settings.retrieval, cycle.settings.table.k);
    let (now, before) = input.source.recent(config, k).await?;
    match config.granularity {
        Granularity::Global => {
            let mut global = Global::new(config);
            merged(now, before, |key, now, before| global.add(key, now, before)).await?;
            Ok(vec![global.finish(); keys.len()])
        }
        Granularity::Instance => {
            let places: HashMap<&[ClusterId], usize> =
                keys.iter().enumerate().map(|(at, key)| (key.as_slice(), at)).collect();
            let mut contexts = vec![Context::default(); keys.len()];
            let take = |key: &[ClusterId], now: &[_], before: &[_]| {
                if let Some(&at) = places.get(key) {
                    contexts[at] = Context::instance(config, now, before);
                }
            };
            merged(now, before, take).await?;
            Ok(contexts)
        }
    }
}

/// Hands over every key of either stream with its counts in both. Both are ascending, so only one key is held.
async fn merged(
    now: Option<CountStream>,
    before: Option<CountStream>,
    mut take: impl FnMut(&[ClusterId], &[(ClusterId, u64)], &[(ClusterId, u64)]),
) -> Result<(), RefreshError> {
    let (mut now, mut before) = (now, before);
    let (mut a, mut b) = (next(&mut now).await?, next(&mut before).await?);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.key.cmp(&b.key),
        };
        let first = if order.is_le() { std::mem::replace(&mut a, next(&mut now).await?) } else { None };
        let second = if order.is_ge() { std::mem::replace(&mut b, next(&mut before).await?) } else { None };
        if let Some(KeyCounts { key, .. }) = first.as_ref().or(second.as_ref()) {
            take(key, counts(&first), counts(&second));
        }
    }
}

fn counts(counted: &Option<KeyCounts>) -> &[(ClusterId, u64)] {
    counted.as_ref().map_or(&[], |counted| &counted.next)
}

async fn next(stream: &mut Option<CountStream>) -> Result<Option<KeyCounts>, RefreshError> {
    match stream {
        Some(stream) => Ok(stream.try_next().await?),
        None => Ok(None),
    }
}

impl Source {
    /// Recent counts of keys of `k`, and by trend those of the window of equal length just before. Counts made elsewhere
    /// are taken as recent.
    async fn recent(
        &self,
        config: &retrieval::Config,
        k: usize,
    ) -> Result<(Option<CountStream>, Option<CountStream>), RefreshError> {
        let trend = config.similarity == Similarity::Trend;
        let Self::Log { log, window } = self else {
            return if trend { Err(RefreshError::TrendOfCounts) } else { Ok((self.transitions(k).await?, None)) };
        };
        let length = TimeDelta::from_std(config.window).unwrap_or(TimeDelta::MAX);
        let earlier = |to: Option<chrono::DateTime<chrono::Utc>>| to.and_then(|to| to.checked_sub_signed(length));
        let now = Window { from: earlier(window.to), to: window.to };
        let before = Window { from: earlier(now.from), to: now.from };
        let before = if trend && before.to.is_some() { Some(log.count(k, &before).await?) } else { None };
        Ok((Some(log.count(k, &now).await?), before))
    }
}
