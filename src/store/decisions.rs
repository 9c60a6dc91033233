//! What the adaptive policy decided for a channel: one file a decision, the newest year of them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::error::{StoreError, failed};
use super::history::check_name;
use super::{Store, numbered};
use crate::ids::VersionId;

/// Decisions kept: at most one a day is made.
const KEPT: u64 = 366;

const EXPECTED: &str = "a decision (<number>.json)";

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Counts from 1.
    pub seq: u64,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Where the log ended.
    pub log_to: DateTime<Utc>,
    /// The live version that was judged.
    pub live: VersionId,
    /// What was decided, with its numbers.
    pub decision: serde_json::Value,
}

impl Store {
    /// Keeps a decision of a channel, and forgets those of more than a year ago. One at a time may do so for a channel.
    pub fn keep_decision(
        &self,
        channel: &str,
        log_to: DateTime<Utc>,
        live: VersionId,
        decision: &serde_json::Value,
    ) -> Result<Decided, StoreError> {
        let dir = self.decisions_dir(channel)?;
        // gc sweeps what lies in drafts: not while this is held.
        let _shared = self.lock(FlockOperation::LockShared)?;
        std::fs::create_dir_all(&dir).map_err(failed("making the folder", &dir))?;
        loop {
            let (seq, at) = (numbered::last(&dir, EXPECTED)? + 1, Utc::now());
            let kept = Decided { seq, at, log_to, live, decision: decision.clone() };
            if numbered::add(&dir, seq, &kept, &self.drafts_dir())? {
                forget(&dir, seq.saturating_sub(KEPT))?;
                return Ok(kept);
            }
        }
    }

    /// The newest decisions of a channel, so many of those that are kept, oldest first.
    pub fn decisions(&self, channel: &str, newest: usize) -> Result<Vec<Decided>, StoreError> {
        let dir = self.decisions_dir(channel)?;
        let seqs = numbered::all(&dir, EXPECTED)?;
        let newest = &seqs[seqs.len().saturating_sub(newest)..];
        newest.iter().map(|&seq| numbered::read(&dir, seq, |found: &Decided| found.seq)).collect()
    }

    fn decisions_dir(&self, channel: &str) -> Result<PathBuf, StoreError> {
        check_name(channel)?;
        Ok(self.root.join("decisions").join(channel))
    }
}

fn forget(dir: &Path, up_to: u64) -> Result<(), StoreError> {
    for seq in numbered::all(dir, EXPECTED)?.into_iter().take_while(|&seq| seq <= up_to) {
        let path = numbered::path(dir, seq);
        std::fs::remove_file(&path).map_err(failed("removing", &path))?;
    }
    Ok(())
}
