//! One cycle: the order of the steps, and nothing else.
//!
//! Each step can be done again: what it makes depends on its input alone and becomes visible at once or not at all.

use std::path::PathBuf;

use super::config::Config;
use super::error::RefreshError;
use super::lock::RunLock;
use super::steps::ask::{Asked, Asking};
use super::steps::weigh::{self, Seen, Weighed};
use super::steps::{count, input, judge, publish};
use crate::evaluation;
use crate::ids::VersionId;
use crate::inference;
use crate::interactions::{self, ClustersConfig, Window};
use crate::retrieval;
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
    /// What prompts show.
    pub retrieval: retrieval::Config,
    /// Who predicts.
    pub inference: inference::Config,
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
    /// Whether the model's questions go through files.
    pub exchange: Exchange,
    /// Who asks, and why; kept with the version.
    pub note: Note,
    /// Whether a new cluster set may go live.
    pub taxonomy: TaxonomyChange,
}

impl Request {
    /// All that the log holds up to its newest event, for a channel that keeps its taxonomy.
    pub fn of_log(channel: String, note: Note) -> Self {
        let (window, taxonomy) = (Window::default(), TaxonomyChange::Refused);
        Self { channel, window, counts: Vec::new(), exchange: Exchange::None, note, taxonomy }
    }
}

/// Questions written out and answers read back, so that anyone's offline runner can answer them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Exchange {
    /// The model of the config is asked.
    #[default]
    None,
    /// What is not known yet is written to the file as JSON lines of batch requests, and the run ends.
    Export(PathBuf),
    /// Answers are read from the file; nothing else is asked.
    Import(PathBuf),
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
    /// So many questions were written out.
    Exported(u64),
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The step: input, retrieve, ask, count, judge, publish or sweep.
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
    /// Weighs whether to run: once for each day of log that has come since the live version was counted, and keeps the
    /// decision in the store. `None` where there is nothing to weigh: no live version, or no new day.
    ///
    /// `seen` is what was looked at the last time, none at first: a log whose files are the same is not read again.
    pub async fn weigh(&self, seen: &mut Option<Seen>) -> Result<Option<Weighed>, RefreshError> {
        weigh::weigh(self, seen).await
    }

    /// Runs the steps, telling `progress` of each. A failure at any point leaves the live version as it was.
    pub async fn run(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Outcome, RefreshError> {
        self.request.note.check()?;
        let _lock = RunLock::take(self.store.path())?;
        let mut input = input::read(self, progress).await?;
        let asking = Asking::of(self, &mut input)?;
        if let Some(live) = publish::unchanged(self, &input)? {
            return Ok(Outcome::NothingToDo(live));
        }
        let answered = match asking {
            None => None,
            Some(asking) => match asking.all(self, &input, progress).await? {
                Asked::Exported(questions) => return Ok(Outcome::Exported(questions)),
                Asked::Answered(answered) => Some(answered),
            },
        };
        let unanswered = answered.as_ref().map_or(0, |answered| answered.run.unanswered());
        if unanswered > 0 {
            // Another run of the same log goes on where this one stopped.
            input.lineage.settings.insert("inference.unanswered".into(), unanswered.to_string());
        }
        let draft = count::into_table(self, &input, answered.as_deref(), progress).await?;
        let (verdict, changed) = judge::judge(self, &input, &draft, answered.as_deref(), progress).await?;
        let outcome = publish::publish(self, draft, &verdict, changed, progress)?;
        if let Some(answered) = answered {
            answered.tidy(matches!(outcome, Outcome::Published(_)), progress);
        }
        Ok(outcome)
    }
}
