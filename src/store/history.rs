//! A channel's folder: one file a move, never changed, numbered from 1 without holes.

use std::path::PathBuf;

use super::channel::Move;
use super::durable::names;
use super::error::StoreError;
use super::{Store, numbered};

const A_MOVE: &str = "a move (<number>.json)";

impl Store {
    /// The names of all channel folders, those without a move yet included.
    pub(super) fn channel_folders(&self) -> Result<Vec<String>, StoreError> {
        let dir = self.channels_dir();
        let checked = names(&dir)?.into_iter().map(|name| match check_name(&name) {
            Ok(()) => Ok(name),
            Err(_) => Err(StoreError::Foreign { path: dir.join(name), expected: "a channel's folder" }),
        });
        checked.collect()
    }

    /// The highest move's number; 0 where there is none. A caller that knew an earlier one spares itself the listing.
    pub(super) fn head(&self, name: &str, known: u64) -> Result<u64, StoreError> {
        numbered::head(&self.channel_dir(name), known, A_MOVE)
    }

    /// One move.
    pub(super) fn read_move(&self, name: &str, seq: u64) -> Result<Move, StoreError> {
        numbered::read(&self.channel_dir(name), seq, |found: &Move| found.seq)
    }

    /// Every move, oldest first; none where there is no channel.
    pub(super) fn moves(&self, name: &str) -> Result<Vec<Move>, StoreError> {
        (1..=self.last_move(name)?).map(|seq| self.read_move(name, seq)).collect()
    }

    /// Adds a move that nobody can have made before, durably; false if somebody was quicker.
    pub(super) fn add_move(&self, name: &str, next: &Move) -> Result<bool, StoreError> {
        numbered::add(&self.channel_dir(name), next.seq, next, &self.drafts_dir())
    }

    fn last_move(&self, name: &str) -> Result<u64, StoreError> {
        numbered::last(&self.channel_dir(name), A_MOVE)
    }

    fn channel_dir(&self, name: &str) -> PathBuf {
        self.channels_dir().join(name)
    }
}

/// Refuses names that a path could be hidden in.
pub(super) fn check_name(name: &str) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(StoreError::ChannelName { name: name.to_owned() })
    }
}
