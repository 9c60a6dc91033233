//! Named pointers to versions: published to, rolled back, and with a history that nobody can lose a move of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::Store;
use super::error::StoreError;
use super::history::check_name;
use crate::ids::{ClusterId, VersionId};

/// The longest `who`, `why`, `creator` or `reason`, in bytes.
pub const MAX_NOTE: usize = 4096;

/// Who moves a channel, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// A person or a program.
    pub who: String,
    /// For people.
    pub why: String,
}

impl Note {
    /// Refuses what is too long to be kept: to be called before whatever it is the note of costs anything.
    pub fn check(&self) -> Result<(), StoreError> {
        check_note("who", &self.who)?;
        check_note("why", &self.why)
    }
}

/// Whether a channel may go to a table of other clusters than its current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxonomyChange {
    /// No: the histories that clients send would be misread.
    Refused,
    /// Yes: the clients were changed with it.
    Allowed,
}

/// What a move did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The channel went to a version.
    Publish,
    /// The channel went back to a version where it had been.
    Rollback,
    /// The channel stayed; its blocklist changed.
    Blocklist,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Rollback => "rollback",
            Self::Blocklist => "blocklist",
        })
    }
}

/// One file of a channel's history: the whole state after the move, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Counts from 1.
    pub seq: u64,
    /// What was done.
    pub action: Action,
    /// Where the channel points.
    pub version: VersionId,
    /// Clusters that it never predicts.
    pub blocklist: BTreeSet<ClusterId>,
    /// Who did it.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// A named pointer to a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Where it points.
    pub version: VersionId,
    /// Clusters that it never predicts. Ids that a table lacks are kept for tables that have them.
    pub blocklist: BTreeSet<ClusterId>,
    /// How it came there, newest first.
    pub moves: Vec<Move>,
}

impl Channel {
    /// `moves` oldest first; `None` where there are none.
    fn of(name: &str, mut moves: Vec<Move>) -> Option<Self> {
        let last = moves.pop()?;
        Some(Self::after(name, moves, last))
    }

    /// `earlier` moves oldest first.
    fn after(name: &str, earlier: Vec<Move>, last: Move) -> Self {
        let (version, blocklist) = (last.version, last.blocklist.clone());
        let moves = std::iter::once(last).chain(earlier.into_iter().rev()).collect();
        Self { name: name.to_owned(), version, blocklist, moves }
    }
}

impl Store {
    /// The names of all channels, in order.
    pub fn channels(&self) -> Result<Vec<String>, StoreError> {
        let mut channels = self.channel_folders()?;
        channels.sort();
        let moved = channels.into_iter().map(|name| Ok((self.head(&name, 0)? > 0).then_some(name)));
        moved.filter_map(Result::transpose).collect()
    }

    /// The channels that point at each version.
    pub fn channels_by_version(&self) -> Result<BTreeMap<VersionId, Vec<String>>, StoreError> {
        let mut by_version = BTreeMap::<_, Vec<_>>::new();
        for name in self.channels()? {
            if let Some(channel) = self.channel(&name)? {
                by_version.entry(channel.version).or_default().push(name);
            }
        }
        Ok(by_version)
    }

    /// A channel with its history; `None` where nothing was published to it.
    pub fn channel(&self, name: &str) -> Result<Option<Channel>, StoreError> {
        check_name(name)?;
        Ok(Channel::of(name, self.moves(name)?))
    }

    /// Points a channel at a version that may go live, which is opened and verified first. Its blocklist stays.
    ///
    /// Publishing where the channel is already is a move like others, but not a step that a rollback would undo.
    pub fn publish(
        &self,
        name: &str,
        version: VersionId,
        note: &Note,
        change: TaxonomyChange,
    ) -> Result<Channel, StoreError> {
        self.append(name, note, |moves| {
            if let (Some(last), TaxonomyChange::Refused) = (moves.last(), change) {
                self.check_taxonomy(name, last.version, version)?;
            }
            Ok((Action::Publish, version, moves.last().map(|last| last.blocklist.clone()).unwrap_or_default()))
        })
    }

    /// Points a channel back at a version: at `to`, where it must have been, or at the one before the current.
    ///
    /// A channel's versions are a stack: publishing pushes, rolling back pops, so that repeated rollbacks walk back.
    /// The blocklist stays, and so may the taxonomy change: what was right then is taken to be right again.
    pub fn rollback(&self, name: &str, to: Option<VersionId>, note: &Note) -> Result<Channel, StoreError> {
        self.append(name, note, |moves| {
            let last = last_of(name, moves)?;
            let version = rollback_target(name, moves, to)?;
            Ok((Action::Rollback, version, last.blocklist.clone()))
        })
    }

    /// Replaces a channel's blocklist. Its version stays.
    pub fn set_blocklist(&self, name: &str, clusters: BTreeSet<ClusterId>, note: &Note) -> Result<Channel, StoreError> {
        self.append(name, note, |moves| Ok((Action::Blocklist, last_of(name, moves)?.version, clusters.clone())))
    }

    /// Makes the move that `decide` finds right after the moves so far, and again as long as others are quicker.
    fn append(
        &self,
        name: &str,
        note: &Note,
        decide: impl Fn(&[Move]) -> Result<(Action, VersionId, BTreeSet<ClusterId>), StoreError>,
    ) -> Result<Channel, StoreError> {
        check_name(name)?;
        note.check()?;
        let _shared = self.lock(FlockOperation::LockShared)?;
        let mut proven = None;
        loop {
            let moves = self.moves(name)?;
            let (action, version, blocklist) = decide(&moves)?;
            if action != Action::Blocklist && proven != Some(version) {
                self.admit(version)?;
                self.prove(version)?;
                proven = Some(version);
            }
            let (seq, at) = (moves.len() as u64 + 1, Utc::now());
            let next = Move { seq, action, version, blocklist, who: note.who.clone(), at, why: note.why.clone() };
            if self.add_move(name, &next)? {
                return Ok(Channel::after(name, moves, next));
            }
        }
    }

    fn check_taxonomy(&self, name: &str, current: VersionId, version: VersionId) -> Result<(), StoreError> {
        let (current_hash, hash) = (self.manifest(current)?.taxonomy_hash, self.manifest(version)?.taxonomy_hash);
        if current_hash == hash {
            return Ok(());
        }
        Err(StoreError::Taxonomy { channel: name.to_owned(), current, current_hash, version, hash })
    }
}

/// Refuses what is too long to be kept with every move.
pub(super) fn check_note(field: &'static str, text: &str) -> Result<(), StoreError> {
    match text.len() {
        len if len > MAX_NOTE => Err(StoreError::NoteTooLong { field, len, max: MAX_NOTE }),
        _ => Ok(()),
    }
}

/// The versions that repeated rollbacks would walk through, the current one last. `moves` oldest first.
pub(super) fn stack(moves: &[Move]) -> Vec<VersionId> {
    let mut stack = Vec::new();
    for step in moves {
        if step.action == Action::Rollback
            && let Some(at) = stack.iter().rposition(|&version| version == step.version)
        {
            stack.truncate(at + 1);
        }
        if stack.last() != Some(&step.version) {
            stack.push(step.version);
        }
    }
    stack
}

fn last_of<'m>(name: &str, moves: &'m [Move]) -> Result<&'m Move, StoreError> {
    moves.last().ok_or_else(|| StoreError::NoChannel { name: name.to_owned() })
}

fn rollback_target(name: &str, moves: &[Move], to: Option<VersionId>) -> Result<VersionId, StoreError> {
    let channel = || name.to_owned();
    match (to, stack(moves).as_slice()) {
        (Some(version), _) if moves.iter().any(|step| step.version == version) => Ok(version),
        (Some(version), _) => Err(StoreError::NeverThere { channel: channel(), version }),
        (None, [.., before, _]) => Ok(*before),
        (None, _) => Err(StoreError::NothingBefore { channel: channel(), version: last_of(name, moves)?.version }),
    }
}
