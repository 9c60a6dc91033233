//! The refresher as a process: it follows its policy and what it is told, and says what it does.
//!
//! Commands come in on stdin and events go out on stdout, one JSON object a line ([`RunCommand`], [`RunEvent`]). The
//! end of stdin ends it, so it never outlives the server that started it; ending it is how a run is cancelled. The model
//! is tuned by a child of this process, which ends with it; the next one goes on with what it left.

mod looks;
mod process;
mod tuner;

use std::ffi::OsString;
use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, Lines};

use super::config::Policy;
use super::pipeline::{Cycle, Outcome, Progress, Request, Settings};
use super::schedule::Schedule;
use super::steps::weigh::Weighed;
use super::tuning::Due;
use crate::evaluation::{Ageing, Decision};
use crate::store::run::{self, RunCommand, RunEvent, RunState};
use crate::store::{Note, Store};
use looks::Looks;
use tuner::Tuner;

/// The longest uninterrupted wait: the clock may be set meanwhile.
const NAP: Duration = Duration::from_secs(30);

fn name(kind: &str) -> String {
    format!("{kind}-{}", Utc::now().format("%Y%m%dT%H%M%S%.3fZ"))
}

fn note(who: &str, why: &str) -> Note {
    Note { who: who.into(), why: why.into() }
}

fn left(until: DateTime<Utc>) -> Duration {
    (until - Utc::now()).to_std().unwrap_or(Duration::ZERO)
}

/// A refresher that runs until its commands end.
pub struct Agent<W> {
    settings: Settings,
    store: Store,
    channel: String,
    tuner: Tuner,
    events: W,
    was_cancelled: bool,
}

impl<W: Write + Send> Agent<W> {
    /// Keeps `channel` of `store` fresh by `settings`, and says so to `events`. `tune` are the arguments that make this
    /// binary tune a model under the same config.
    pub fn new(settings: Settings, store: Store, channel: String, tune: Vec<OsString>, events: W) -> Self {
        let tuner = Tuner::new(tune, store.clone());
        Self { settings, store, channel, tuner, events, was_cancelled: false }
    }

    /// The run of the process before was cancelled: what made it begin makes no other begin at once.
    #[must_use]
    pub fn after_a_cancelled_run(self, was_cancelled: bool) -> Self {
        Self { was_cancelled, ..self }
    }

    /// Follows the schedule and `commands` until they end.
    pub async fn run(mut self, commands: impl AsyncBufRead + Unpin) -> std::io::Result<()> {
        let mut commands = commands.lines();
        let last_run = self.last_run();
        let mut schedule = Schedule::new(self.settings.refresh.policy.clone(), last_run);
        let mut last = RunEvent::default();
        let mut looks = Looks::new(&self.settings);
        loop {
            let next = schedule.next(Utc::now());
            self.say(RunEvent { at: Utc::now(), next, ..last.clone() })?;
            let Some((run, note)) = self.wait(&mut commands, &schedule, &mut looks).await? else { return Ok(()) };
            let began = Utc::now();
            last = self.cycle(run, note).await?;
            schedule.ran(began, last.state != RunState::Failed);
            if last.state != RunState::Failed {
                self.tuner.refreshed();
            }
        }
    }

    /// From when on the policy counts.
    fn last_run(&self) -> Option<DateTime<Utc>> {
        if self.was_cancelled {
            return Some(Utc::now());
        }
        self.live_since().filter(|_| !self.was_cut_short())
    }

    /// When the channel's version was made.
    fn live_since(&self) -> Option<DateTime<Utc>> {
        let channel = self.store.channel(&self.channel).ok()??;
        Some(self.store.manifest(channel.version).ok()?.created)
    }

    /// Whether a refresh was decided on of which no version came: the process died over it, or a gate held what came,
    /// which is judged anew.
    fn was_cut_short(&self) -> bool {
        let live = self.store.channel(&self.channel).ok().flatten().map(|channel| channel.version);
        let decided = self.store.decisions(&self.channel, 1).ok().and_then(|mut decided| decided.pop());
        self.settings.refresh.policy == Policy::Adaptive
            && decided.is_some_and(|decided| decided.decision["refresh"] == true && Some(decided.live) == live)
    }

    /// Until the next run: its name and who wants it. `None` when the server is gone. Tunes the model meanwhile.
    async fn wait(
        &mut self,
        commands: &mut Lines<impl AsyncBufRead + Unpin>,
        schedule: &Schedule,
        looks: &mut Looks,
    ) -> std::io::Result<Option<(String, Note)>> {
        let next = schedule.next(Utc::now());
        loop {
            let tuning = self.tuning(schedule);
            let planned = next.map_or(Duration::MAX, left);
            let pause = planned.min(looks.left()).min(tuning.as_ref().map_or(NAP, |due| left(due.at))).min(NAP);
            tokio::select! {
                line = commands.next_line() => match line? {
                    None => return Ok(None),
                    Some(line) => match serde_json::from_str(&line) {
                        Ok(RunCommand::Run { run, who, why }) => return Ok(Some((run, Note { who, why }))),
                        Err(error) => tracing::error!(%line, %error, "the refresher was told what it does not understand"),
                    },
                },
                why = self.tuner.heard() => match why {
                    Some(why) => return Ok(Some((name("tuned"), note("finetune", &why)))),
                    None => self.idle(next, None)?,
                },
                () = tokio::time::sleep(pause) => {
                    if let Some(due) = tuning.filter(|due| left(due.at).is_zero()) {
                        self.tuner.start(&due.why);
                        self.idle(next, None)?;
                    } else if planned <= pause {
                        return Ok(Some((name("scheduled"), note("schedule", "the schedule says so"))));
                    } else if looks.left().is_zero() {
                        let weighed = self.weigh(next, looks).await?;
                        looks.looked();
                        if let Some(weighed) = weighed.filter(|weighed| weighed.decision.refresh) {
                            return Ok(Some((name("weighed"), note("adaptive", &weighed.decision.to_string()))));
                        }
                    }
                },
            }
        }
    }

    /// When the model is tuned next. The first table is not kept waiting for that.
    fn tuning(&mut self, schedule: &Schedule) -> Option<Due> {
        if schedule.is_at_its_beginning() { None } else { self.tuner.next(&self.settings, &self.channel) }
    }

    /// Weighs whether to refresh, if a day of log has come that was not weighed yet. What fails is told once and tried
    /// again at the next look.
    async fn weigh(&mut self, next: Option<DateTime<Utc>>, looks: &mut Looks) -> std::io::Result<Option<Weighed>> {
        let request = Request::of_log(self.channel.clone(), note("adaptive", "a day of log has come"));
        let weighed =
            Cycle { settings: &self.settings, store: &self.store, request: &request }.weigh(&mut looks.seen).await;
        let weighed = match weighed {
            Ok(weighed) => {
                looks.fine();
                weighed
            }
            Err(error) => {
                looks.failed(&error.to_string());
                return Ok(None);
            }
        };
        if let Some(Weighed { log_to, live, decision }) = &weighed {
            tracing::info!(%log_to, %live, "{decision}");
            let loss = decision.ageing.loss.map(|loss| loss.value);
            let Decision { refresh, finetune, gain, cost, ageing: Ageing { age, .. }, .. } = *decision;
            self.idle(next, Some(run::Weighed { refresh, finetune, age, loss, gain, cost }))?;
        }
        Ok(weighed)
    }

    /// Runs once and returns the last event of the run, which is not said yet.
    async fn cycle(&mut self, run: String, note: Note) -> std::io::Result<RunEvent> {
        let (settings, store) = (self.settings.clone(), self.store.clone());
        let request = Request::of_log(self.channel.clone(), note);
        let mut now = RunEvent { run, state: RunState::Running, ..RunEvent::default() };
        let mut broken = Ok(());
        let cycle = Cycle { settings: &settings, store: &store, request: &request };
        let mut tell = |progress| {
            let Progress { step, done, total, message } = progress;
            now = RunEvent { at: Utc::now(), step: step.into(), done, total, message, ..std::mem::take(&mut now) };
            broken = std::mem::replace(&mut broken, Ok(())).and_then(|()| self.say(now.clone()));
        };
        let outcome = cycle.run(&mut tell).await;
        broken?;
        match outcome {
            Ok(Outcome::Published(version)) => {
                self.tidy();
                Ok(RunEvent { state: RunState::Published, version: Some(version), at: Utc::now(), ..now })
            }
            Ok(Outcome::Held(version)) => {
                self.tidy();
                Ok(RunEvent { state: RunState::Held, version: Some(version), at: Utc::now(), ..now })
            }
            Ok(Outcome::NothingToDo(version)) => {
                let message = format!("{version} already holds this log");
                Ok(RunEvent { state: RunState::NothingToDo, message, at: Utc::now(), ..now })
            }
            // Nothing was asked to be written out.
            Ok(Outcome::Exported(_)) => Ok(RunEvent { state: RunState::NothingToDo, at: Utc::now(), ..now }),
            Err(error) => Ok(RunEvent { state: RunState::Failed, message: error.to_string(), at: Utc::now(), ..now }),
        }
    }

    /// Removes the versions that nobody needs any more (`store.keep`), so that refreshes do not fill the disk.
    fn tidy(&self) {
        match self.store.gc(false) {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => tracing::info!(?removed, "old versions were removed"),
            Err(error) => tracing::warn!(%error, "old versions could not be removed"),
        }
    }

    /// Says what is new while no run is under way.
    fn idle(&mut self, next: Option<DateTime<Utc>>, weighed: Option<run::Weighed>) -> std::io::Result<()> {
        self.say(RunEvent { at: Utc::now(), next, weighed, ..RunEvent::default() })
    }

    /// Says an event, and where the tuning stands.
    fn say(&mut self, event: RunEvent) -> std::io::Result<()> {
        let line = serde_json::to_string(&RunEvent { tuning: self.tuner.standing(), ..event })?;
        writeln!(self.events, "{line}")?;
        self.events.flush()
    }
}
