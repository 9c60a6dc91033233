//! Which steps enough users made (`interactions.min_users`): what a refresh suppresses is in no sample either.

use std::collections::HashSet;

use futures::TryStreamExt;
use xxhash_rust::xxh3::Xxh3;

use crate::ids::ClusterId;
use crate::interactions::{Error, KeyCounts, Log, Window};

/// The steps that a refresh of the samples' window counts, by a hash; all, where one user is enough.
pub(super) struct Shared(Option<HashSet<u128>>);

impl Shared {
    /// Counts the window. Takes about 32 bytes of memory for each step that enough users made.
    pub(super) async fn count(log: &Log, k: usize, window: &Window) -> Result<Self, Error> {
        if log.min_users() <= 1 {
            return Ok(Self(None));
        }
        let (mut steps, mut counts) = (HashSet::new(), log.count(k, window).await?);
        while let Some(KeyCounts { key, next }) = counts.try_next().await? {
            steps.extend(next.iter().map(|&(next, _)| name(&key, next)));
        }
        Ok(Self(Some(steps)))
    }

    pub(super) fn holds(&self, key: &[ClusterId], next: ClusterId) -> bool {
        self.0.as_ref().is_none_or(|steps| steps.contains(&name(key, next)))
    }
}

fn name(key: &[ClusterId], next: ClusterId) -> u128 {
    let mut hasher = Xxh3::new();
    key.iter().chain([&next]).for_each(|cluster| hasher.update(&cluster.0.to_le_bytes()));
    hasher.digest128()
}
