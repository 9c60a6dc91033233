//! Tunes the model when that is due, beside the refreshes, and says how it goes.

use std::ffi::OsString;

use chrono::{DateTime, Utc};

use super::process::{Judged, Process};
use crate::refresh::config::{Fixed, Policy};
use crate::refresh::pipeline::Settings;
use crate::refresh::schedule::{Retries, signed};
use crate::refresh::tuning::{self, Due, due};
use crate::store::Store;
use crate::store::models::ModelState;
use crate::store::run::{Tuning, TuningState};

pub(super) struct Tuner {
    /// What makes this binary tune a model, under the refresher's config.
    args: Vec<OsString>,
    store: Store,
    process: Option<Process>,
    retries: Retries,
    /// When one last came to a model.
    last: Option<DateTime<Utc>>,
    /// How the last one ended.
    ended: Option<Tuning>,
    /// The last problem that was told.
    problem: String,
    /// Whether what came of it stands in the registry, so that nothing goes on from its directory.
    is_done: bool,
}

impl Tuner {
    pub(super) fn new(args: Vec<OsString>, store: Store) -> Self {
        let (retries, problem) = (Retries::default(), String::new());
        Self { args, store, process: None, retries, last: None, ended: None, problem, is_done: false }
    }

    /// When one is to be started; `None` while one goes on, or where nothing asks for one.
    pub(super) fn next(&mut self, settings: &Settings, channel: &str) -> Option<Due> {
        if self.process.is_some() || self.is_done {
            return None;
        }
        match due(settings, &self.store, channel, Utc::now()) {
            Ok(due) => {
                due.map(|due| Due { at: self.soonest(settings).map_or(due.at, |soonest| soonest.max(due.at)), ..due })
            }
            Err(error) => {
                self.told(&format!("whether to tune the model cannot be said: {error}"));
                None
            }
        }
    }

    /// Not before the wait after a failure is over, nor sooner after the last one than a schedule says: a log that does not
    /// go on teaches the newest model again, and that stays as old as it was.
    fn soonest(&self, settings: &Settings) -> Option<DateTime<Utc>> {
        let Policy::Fixed(Fixed { finetune: Some(every), .. }) = &settings.refresh.policy else {
            return self.retries.next();
        };
        self.retries.next().or_else(|| self.last?.checked_add_signed(signed(*every)))
    }

    /// Starts one, or goes on with the one that was cut short.
    pub(super) fn start(&mut self, why: &str) {
        tracing::info!("the model is tuned: {why}");
        match Process::start(&self.args, &tuning::dir(&self.store), why) {
            Ok(process) => self.process = Some(process),
            Err(error) => self.failed(format!("the tuner could not be started: {error}")),
        }
    }

    /// Waits until the one that goes on says something, or ends; for ever where there is none. Returns why a refresh is to
    /// follow, where one is.
    pub(super) async fn heard(&mut self) -> Option<String> {
        let Some(process) = &mut self.process else { return std::future::pending().await };
        let ended = process.heard().await?;
        self.process = None;
        match ended {
            Ok(judged) => self.judged(judged),
            Err(problem) => {
                self.failed(problem);
                None
            }
        }
    }

    /// Where it stands.
    pub(super) fn standing(&self) -> Option<Tuning> {
        let running = |process: &Process| Tuning { says: process.said(), ..Tuning::default() };
        self.process.as_ref().map(running).or_else(|| self.ended.clone())
    }

    /// A refresh has followed: until then a kill would have left what makes another one follow.
    pub(super) fn refreshed(&mut self) {
        if self.is_done {
            self.clear();
        }
    }

    fn judged(&mut self, Judged { model, state, why }: Judged) -> Option<String> {
        self.retries.tried(Utc::now(), true);
        self.last = Some(Utc::now());
        self.problem.clear();
        self.is_done = true;
        let is_approved = state == ModelState::Approved;
        let says = if is_approved { format!("{model} is {state}") } else { format!("{model} is {state}: {why}") };
        let state = if is_approved { TuningState::Approved } else { TuningState::Held };
        self.ended = Some(Tuning { state, says: says.clone(), model: Some(model) });
        if !is_approved {
            tracing::warn!("the tuned model {says}");
            self.clear();
            return None;
        }
        tracing::info!("the tuned model {says}");
        Some(format!("a new model was approved: {model}"))
    }

    fn failed(&mut self, problem: String) {
        self.retries.tried(Utc::now(), false);
        let dir = tuning::dir(&self.store);
        self.told(&format!(
            "no model was tuned, and the one that is asked stays: {problem}; it is tried again from {}, which you may remove \
             for it to begin anew",
            dir.display()
        ));
        self.ended = Some(Tuning { state: TuningState::Failed, says: problem, model: None });
    }

    /// Tells a problem, unless it is the same as before.
    fn told(&mut self, problem: &str) {
        if self.problem != problem {
            tracing::error!("{problem}");
            self.problem = problem.to_owned();
        }
    }

    fn clear(&mut self) {
        match self.store.discard(&tuning::dir(&self.store)) {
            Ok(()) => self.is_done = false,
            Err(error) => self.told(&format!("until it is removed, no other model is tuned: {error}")),
        }
    }
}
