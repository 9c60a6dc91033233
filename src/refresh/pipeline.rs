//! One cycle: the order of the steps, and nothing else.
//!
//! Each step can be done again: what it makes depends on its input alone and becomes visible at once or not at all.

use std::path::PathBuf;

use super::config::Config;
use super::error::RefreshError;
use super::lock::RunLock;
use super::steps::{count, input, judge, publish};
use crate::evaluation;
use crate::ids::VersionId;
use crate::interactions::{self, ClustersConfig, Window};
use crate::store::{Note, Store, TaxonomyChange};
use crate::table;

/// The sections of the config that decide a table.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster set.
    pub clusters: ClustersConfig,
    /// The log.
    pub interactions: interactions::Config,
    /// The table's shape.
    pub table: table::Config,
    /// The window.
    pub refresh: Config,
    /// What the table must be like to go live.
    pub evaluation: evaluation::Config,
}

/// What one run is asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The channel that is to point at the new version.
    pub channel: String,
    /// Bounds of the log; what is open comes from `refresh.window` and the newest event.
    pub window: Window,
    /// Counts made elsewhere, instead of the log: one file for each key length.
    pub counts: Vec<PathBuf>,
    /// Who asks, and why; kept with the version.
    pub note: Note,
    /// Whether a new cluster set may go live.
    pub taxonomy: TaxonomyChange,
}

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new version is live on the channel.
    Published(VersionId),
    /// A gate held the new version: it is in the store, and the live one stays.
    Held(VersionId),
    /// The live version already holds what would be counted.
    NothingToDo(VersionId),
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The step: input, count, judge or publish.
    pub step: &'static str,
    /// Parts of the step that are done.
    pub done: u64,
    /// Parts of the step.
    pub total: u64,
    /// What it is about, for people.
    pub message: String,
}

/// A run of the pipeline.
pub struct Cycle<'a> {
    /// What decides the table.
    pub settings: &'a Settings,
    /// Where it is published.
    pub store: &'a Store,
    /// What is asked.
    pub request: &'a Request,
}

impl Cycle<'_> {
    /// Runs the steps, telling `progress` of each. A failure at any point leaves the live version as it was.
    pub async fn run(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Outcome, RefreshError> {
        let _lock = RunLock::take(self.store.path())?;
        let input = input::read(self, progress).await?;
        if let Some(live) = publish::unchanged(self, &input)? {
            return Ok(Outcome::NothingToDo(live));
        }
        let draft = count::into_table(self, &input, progress).await?;
        let verdict = judge::judge(self, &input, &draft, None, progress).await?;
        publish::publish(self, draft, &verdict, progress)
    }
}
