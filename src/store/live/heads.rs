//! Where the channels stand, as last seen.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Store, StoreError};
use crate::ids::{ClusterId, VersionId};

/// The latest move of each channel. What was once seen stays, whatever becomes of the store.
pub(super) struct Heads {
    store: Store,
    heads: BTreeMap<String, Head>,
    /// What cannot be read at the moment, by channel (the store itself has none); told once as long as it is the same.
    troubles: BTreeMap<Option<String>, String>,
}

/// A channel's latest move.
pub(super) struct Head {
    seq: u64,
    pub(super) version: VersionId,
    pub(super) blocklist: BTreeSet<ClusterId>,
}

impl Heads {
    pub(super) fn new(store: Store) -> Self {
        Self { store, heads: BTreeMap::new(), troubles: BTreeMap::new() }
    }

    /// Looks at every channel; reads only the moves that are new.
    pub(super) fn refresh(&mut self) {
        let listed = self.store.channel_folders();
        let found = self.note(None, listed).unwrap_or_default();
        let names: BTreeSet<String> = self.heads.keys().cloned().chain(found).collect();
        for name in names {
            let read = self.read(&name);
            if let Some(Some(head)) = self.note(Some(name.clone()), read) {
                self.heads.insert(name, head);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Head)> {
        self.heads.iter()
    }

    /// What cannot be read at the moment.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &String> {
        self.troubles.values()
    }

    /// The channel's latest move, if it is not the one known.
    fn read(&self, name: &str) -> Result<Option<Head>, StoreError> {
        let known = self.heads.get(name).map_or(0, |head| head.seq);
        match self.store.head(name, known)? {
            0 if known > 0 => Err(StoreError::NoChannel { name: name.to_owned() }),
            seq if seq == known => Ok(None),
            seq => {
                let last = self.store.read_move(name, seq)?;
                Ok(Some(Head { seq, version: last.version, blocklist: last.blocklist }))
            }
        }
    }

    fn note<T>(&mut self, channel: Option<String>, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.troubles.remove(&channel).is_some() {
                    tracing::info!(channel, "the store can be read again");
                }
                Some(value)
            }
            Err(error) => {
                let error = error.to_string();
                if self.troubles.get(&channel) != Some(&error) {
                    tracing::error!(channel, error, "the store cannot be read; what is live stays");
                    self.troubles.insert(channel, error);
                }
                None
            }
        }
    }
}
