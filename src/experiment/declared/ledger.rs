//! What the store's changes come to.

use std::collections::BTreeMap;

use crate::store::{ExperimentAction, ExperimentChange};

/// The last change of each experiment, as far as the sequence was read.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    seq: u64,
    latest: BTreeMap<String, ExperimentChange>,
}

impl Ledger {
    pub(super) fn of(changes: &[ExperimentChange]) -> Self {
        let mut ledger = Self::default();
        changes.iter().for_each(|change| ledger.note(change));
        ledger
    }

    pub(super) fn note(&mut self, change: &ExperimentChange) {
        self.seq = change.seq;
        self.latest.insert(change.experiment.clone(), change.clone());
    }

    /// The number of the last change that was read.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The last change of an experiment, running or ended.
    pub(super) fn latest(&self, name: &str) -> Option<&ExperimentChange> {
        self.latest.get(name)
    }

    /// The last change of every experiment, running or ended, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &ExperimentChange> {
        self.latest.values()
    }

    /// Those that run, in the order in which they were set.
    pub(super) fn running(&self) -> Vec<&ExperimentChange> {
        let mut running: Vec<_> = self.all().filter(|change| change.action == ExperimentAction::Set).collect();
        running.sort_unstable_by_key(|change| change.seq);
        running
    }
}
