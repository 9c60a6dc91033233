//! The exchange itself: from where the channels stand, and what is loaded, to what requests see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::super::Mapping;
use super::heads::{Head, Heads};
use super::metrics::{LIVE_TABLES, LIVE_VERSION, SWAPS};
use super::retire::Retirer;
use super::{LiveChannels, Snapshot};
use crate::ids::VersionId;
use crate::table::Table;

/// What requests see, and the loaded tables under it.
pub(super) struct Swap {
    live: Arc<ArcSwap<LiveChannels>>,
    /// A reference to every table that a snapshot may hold, so that none of theirs is the last.
    tables: BTreeMap<VersionId, Arc<Table<Mapping>>>,
    retirer: Retirer,
}

impl Swap {
    pub(super) fn new(live: Arc<ArcSwap<LiveChannels>>, retirer: Retirer) -> Self {
        Self { live, tables: BTreeMap::new(), retirer }
    }

    /// Takes a table that was loaded.
    pub(super) fn insert(&mut self, version: VersionId, table: Table<Mapping>) {
        metrics::gauge!(LIVE_TABLES).increment(1.0);
        if let Some(same) = self.tables.insert(version, Arc::new(table)) {
            self.retirer.retire(same);
        }
    }

    /// The versions that channels stand at and that are not loaded.
    pub(super) fn wanted(&self, heads: &Heads) -> Vec<VersionId> {
        let missing = |version: &VersionId| !self.tables.contains_key(version);
        let versions: BTreeSet<VersionId> = heads.iter().map(|(_, head)| head.version).filter(missing).collect();
        versions.into_iter().collect()
    }

    /// Shows requests where the channels stand, as far as it is loaded, and retires what no channel shows any more.
    /// True once any channel has a table.
    pub(super) fn settle(&mut self, heads: &Heads) -> bool {
        let before = self.live.load_full();
        let snapshots =
            heads.iter().filter_map(|(name, head)| Some((name.clone(), self.snapshot(&before, name, head)?)));
        let after = LiveChannels(snapshots.collect());
        let ready = !after.is_empty();
        let is_kept =
            |snapshot: &Arc<Snapshot>| before.0.get(&snapshot.channel).is_some_and(|b| Arc::ptr_eq(b, snapshot));
        if !after.0.values().all(is_kept) {
            after.0.values().filter(|snapshot| !is_kept(snapshot)).for_each(|snapshot| tell(&before, snapshot));
            self.live.store(Arc::new(after));
        }
        self.retire_unseen();
        ready
    }

    /// What a channel shows: where it stands if that is loaded, else where it was, but with its blocklist of now.
    fn snapshot(&self, before: &LiveChannels, name: &str, head: &Head) -> Option<Arc<Snapshot>> {
        let shown = before.0.get(name);
        let loaded = self.tables.get(&head.version).map(|table| (head.version, table));
        let (version, table) = loaded.or_else(|| shown.map(|shown| (shown.version, &shown.table)))?;
        if let Some(shown) = shown.filter(|shown| Arc::ptr_eq(&shown.table, table) && shown.blocked == head.blocklist) {
            return Some(Arc::clone(shown));
        }
        Some(Arc::new(Snapshot::new(name, version, Arc::clone(table), head.blocklist.clone())))
    }

    fn retire_unseen(&mut self) {
        let live = self.live.load();
        let seen: BTreeSet<VersionId> = live.iter().map(|snapshot| snapshot.version).collect();
        for (_, table) in self.tables.extract_if(.., |version, _| !seen.contains(version)) {
            self.retirer.retire(table);
        }
    }
}

impl Drop for Swap {
    /// Requests may go on after the watcher has stopped; the retirer outlives both.
    fn drop(&mut self) {
        while let Some((_, table)) = self.tables.pop_first() {
            self.retirer.retire(table);
        }
    }
}

fn tell(before: &LiveChannels, now: &Snapshot) {
    let Snapshot { channel, version, .. } = now;
    let was = before.get(channel).map(|snapshot| snapshot.version);
    if was == Some(*version) {
        tracing::info!(channel, %version, blocked = now.blocked.len(), "the blocklist changed");
        return;
    }
    metrics::counter!(SWAPS).increment(1);
    // Versions count up from 1: a float holds all that will ever be.
    metrics::gauge!(LIVE_VERSION, "channel" => channel.clone()).set(version.0 as f64);
    tracing::info!(channel, %version, was = was.map(tracing::field::display), "swapped in");
}
