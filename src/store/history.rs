//! A channel's folder: one file a move, never changed, numbered from 1 without holes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Store;
use super::channel::Move;
use super::durable::{if_present, names, numbers, read_json, sync_dir, write_json};
use super::error::{StoreError, failed};
use crate::files::unique_path;

const SUFFIX: &str = ".json";

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
        let exists = |seq| {
            let path = self.move_path(name, seq);
            path.try_exists().map_err(failed("looking for", &path))
        };
        if known == 0 || !exists(known)? {
            return Ok(self.seqs(name)?.last().copied().unwrap_or(0));
        }
        let mut head = known;
        while exists(head + 1)? {
            head += 1;
        }
        Ok(head)
    }

    /// One move.
    pub(super) fn read_move(&self, name: &str, seq: u64) -> Result<Move, StoreError> {
        let path = self.move_path(name, seq);
        let damaged = |problem: &str| StoreError::Damaged { path: path.clone(), problem: problem.into() };
        let found: Move = read_json(&path)?.ok_or_else(|| damaged("it is missing"))?;
        if found.seq == seq { Ok(found) } else { Err(damaged("it holds another move's number")) }
    }

    /// Every move, oldest first; none where there is no channel.
    pub(super) fn moves(&self, name: &str) -> Result<Vec<Move>, StoreError> {
        let last = self.seqs(name)?.last().copied().unwrap_or(0);
        (1..=last).map(|seq| self.read_move(name, seq)).collect()
    }

    /// Adds a move that nobody can have made before, durably; false if somebody was quicker.
    pub(super) fn add_move(&self, name: &str, next: &Move) -> Result<bool, StoreError> {
        let private = unique_path(&self.drafts_dir(), "move");
        let added = write_json(&private, next).and_then(|()| self.link_move(name, next, &private));
        // One that stays is swept by gc.
        let _ = std::fs::remove_file(&private);
        added
    }

    fn link_move(&self, name: &str, next: &Move, private: &Path) -> Result<bool, StoreError> {
        self.make_folder(name)?;
        let path = self.move_path(name, next.seq);
        match std::fs::hard_link(private, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            linked => linked.map_err(failed("making the file", &path))?,
        }
        sync_dir(&self.channel_dir(name)).map(|()| true)
    }

    fn make_folder(&self, name: &str) -> Result<(), StoreError> {
        let dir = self.channel_dir(name);
        match std::fs::create_dir(&dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made.map_err(failed("making the folder", &dir)).and_then(|()| sync_dir(&self.channels_dir())),
        }
    }

    fn seqs(&self, name: &str) -> Result<Vec<u64>, StoreError> {
        let dir = self.channel_dir(name);
        Ok(if_present(numbers(&dir, SUFFIX, "a move (<number>.json)"))?.unwrap_or_default())
    }

    fn move_path(&self, name: &str, seq: u64) -> PathBuf {
        self.channel_dir(name).join(format!("{seq}{SUFFIX}"))
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
