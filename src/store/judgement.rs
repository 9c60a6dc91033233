//! Whether a version may go live, who said so, and why: one file a judgement, beside the table and the manifest.
//!
//! The refresh writes the first one, passed or held, into the draft, so that it arrives with the version. Approvals and
//! rejections are further files; nothing is written over. The last one is the version's state.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::durable::{sync_dir, write_json};
use super::error::{StoreError, failed};
use super::{Draft, Note, Store, numbered};
use crate::ids::VersionId;

const FOLDER: &str = "judgements";

/// Which versions channels may point at, and servers take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admit {
    /// Those that passed their gates, and those that someone approved.
    #[default]
    Judged,
    /// All, those held and rejected included.
    Any,
}

/// What a version's last judgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has judged it: it was added without a report.
    Unjudged,
    /// Its gates let it through.
    Passed,
    /// A gate held it, until someone approves or rejects it.
    Held,
    /// Someone approved it, whatever its gates said.
    Approved,
    /// Someone rejected it.
    Rejected,
}

impl State {
    /// As it is written in files and shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unjudged => "unjudged",
            Self::Passed => "passed",
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one gate found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The gate.
    pub gate: String,
    /// `pass`, `warn`, `fail`, or `skip` where nothing could be measured.
    pub outcome: String,
    /// The figure, the threshold, and what to do.
    pub says: String,
}

/// One file of the judgements of a version, or of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement<S = State> {
    /// Counts from 1.
    pub seq: u64,
    /// The state from here on.
    pub state: S,
    /// Who judged: a person, or who asked for the refresh.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
    /// What the gates found, where gates judged.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// The figures that they judged by.
    #[serde(default)]
    pub report: serde_json::Value,
}

impl Draft {
    /// Puts the first judgement beside the table: it becomes the version's state with the version.
    pub fn judge(&self, judgement: &Judgement) -> Result<(), StoreError> {
        write_first(self.path(), judgement)
    }
}

impl Store {
    /// Every judgement of a version, oldest first.
    pub fn judgements(&self, version: VersionId) -> Result<Vec<Judgement>, StoreError> {
        all(&self.version_dir(version))
    }

    /// A version's state.
    pub fn state(&self, version: VersionId) -> Result<State, StoreError> {
        Ok(self.last_judgement(version)?.map_or(State::Unjudged, |judgement| judgement.state))
    }

    /// Lets a version go live whatever its gates said. `note.why` is the reason, which must be given.
    pub fn approve(&self, version: VersionId, note: &Note) -> Result<Judgement, StoreError> {
        // gc must not remove the version meanwhile.
        let _shared = self.lock(FlockOperation::LockShared)?;
        self.judge(version, State::Approved, note)
    }

    /// Keeps a version from going live. `note.why` is the reason, which must be given. One that a channel points at is
    /// not rejected: what is live stays so until the channel is moved.
    pub fn reject(&self, version: VersionId, note: &Note) -> Result<Judgement, StoreError> {
        // A move under way may be about to point at it: what it takes to be admitted must stay true until it does.
        let _alone = self.lock(FlockOperation::LockExclusive)?;
        for name in self.channels()? {
            if self.channel(&name)?.is_some_and(|channel| channel.version == version) {
                return Err(StoreError::Live { version, channel: name });
            }
        }
        self.judge(version, State::Rejected, note)
    }

    /// Refuses a version that may not go live here ([`Config::admit`](super::Config::admit)).
    pub(super) fn admit(&self, version: VersionId) -> Result<(), StoreError> {
        if self.admit == Admit::Any {
            return Ok(());
        }
        let last = self.last_judgement(version)?;
        let state = last.as_ref().map_or(State::Unjudged, |judgement| judgement.state);
        match state {
            State::Passed | State::Approved => Ok(()),
            State::Unjudged | State::Held | State::Rejected => {
                // One that is not there at all is told as such.
                self.manifest(version)?;
                let why = last.map_or(String::new(), |judgement| judgement.why);
                Err(StoreError::NotAdmitted { version, state, why })
            }
        }
    }

    /// To be called under a lock of the store.
    fn judge(&self, version: VersionId, state: State, note: &Note) -> Result<Judgement, StoreError> {
        if note.why.trim().is_empty() {
            return Err(StoreError::NoReason { what: version.to_string(), state: state.to_string() });
        }
        self.manifest(version)?;
        add(&self.version_dir(version), state, note, &self.drafts_dir())
    }

    fn last_judgement(&self, version: VersionId) -> Result<Option<Judgement>, StoreError> {
        latest(&self.version_dir(version))
    }
}

/// Puts the first judgement into a folder that is not in its place yet.
pub(super) fn write_first<S: Serialize + Clone>(of: &Path, judgement: &Judgement<S>) -> Result<(), StoreError> {
    let dir = of.join(FOLDER);
    std::fs::create_dir(&dir).map_err(failed("making the folder", &dir))?;
    write_json(&numbered::path(&dir, 1), &Judgement { seq: 1, ..judgement.clone() })?;
    sync_dir(&dir)
}

/// Adds a judgement by hand to those in the folder `of`.
pub(super) fn add<S: Serialize + DeserializeOwned + Copy>(
    of: &Path,
    state: S,
    note: &Note,
    drafts: &Path,
) -> Result<Judgement<S>, StoreError> {
    note.check()?;
    let dir = of.join(FOLDER);
    loop {
        let (seq, who, why) = (last(&dir)? + 1, note.who.clone(), note.why.clone());
        let (at, findings, report) = (Utc::now(), Vec::new(), serde_json::Value::Null);
        let judgement = Judgement { seq, state, who, at, why, findings, report };
        if numbered::add(&dir, seq, &judgement, drafts)? {
            return Ok(judgement);
        }
    }
}

/// The judgements in the folder `of`, oldest first.
pub(super) fn all<S: DeserializeOwned>(of: &Path) -> Result<Vec<Judgement<S>>, StoreError> {
    let dir = of.join(FOLDER);
    (1..=last(&dir)?).map(|seq| read(&dir, seq)).collect()
}

/// The last of them.
pub(super) fn latest<S: DeserializeOwned>(of: &Path) -> Result<Option<Judgement<S>>, StoreError> {
    let dir = of.join(FOLDER);
    match last(&dir)? {
        0 => Ok(None),
        seq => read(&dir, seq).map(Some),
    }
}

fn last(dir: &Path) -> Result<u64, StoreError> {
    numbered::last(dir, "a judgement (<number>.json)")
}

fn read<S: DeserializeOwned>(dir: &Path, seq: u64) -> Result<Judgement<S>, StoreError> {
    numbered::read(dir, seq, |found: &Judgement<S>| found.seq)
}
