//! What somebody measured of a version and kept beside it: one file a result, of any kind. It decides nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::channel::check_note;
use super::error::StoreError;
use super::{Store, numbered};
use crate::ids::VersionId;

const FOLDER: &str = "evaluations";

/// One result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Counts from 1.
    pub seq: u64,
    /// What was measured: `hit-rate`, `overlap`, `stability`.
    pub kind: String,
    /// Who kept it.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The result.
    pub result: serde_json::Value,
}

impl Store {
    /// Keeps a result beside the version that it judges.
    pub fn keep_evaluation(
        &self,
        version: VersionId,
        kind: &str,
        who: &str,
        result: &serde_json::Value,
    ) -> Result<Evaluation, StoreError> {
        check_note("kind", kind)?;
        check_note("who", who)?;
        // gc must not remove the version meanwhile.
        let _shared = self.lock(FlockOperation::LockShared)?;
        self.manifest(version)?;
        let dir = self.evaluations_dir(version);
        loop {
            let (seq, at) = (last(&dir)? + 1, Utc::now());
            let kept = Evaluation { seq, kind: kind.into(), who: who.into(), at, result: result.clone() };
            if numbered::add(&dir, seq, &kept, &self.drafts_dir())? {
                return Ok(kept);
            }
        }
    }

    /// Every result kept beside a version, oldest first.
    pub fn evaluations(&self, version: VersionId) -> Result<Vec<Evaluation>, StoreError> {
        let dir = self.evaluations_dir(version);
        (1..=last(&dir)?).map(|seq| numbered::read(&dir, seq, |found: &Evaluation| found.seq)).collect()
    }

    fn evaluations_dir(&self, version: VersionId) -> PathBuf {
        self.version_dir(version).join(FOLDER)
    }
}

fn last(dir: &std::path::Path) -> Result<u64, StoreError> {
    numbered::last(dir, "an evaluation (<number>.json)")
}
