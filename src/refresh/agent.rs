//! The refresher as a process: it follows its policy and what it is told, and says what it does.
//!
//! Commands come in on stdin and events go out on stdout, one JSON object a line ([`RunCommand`], [`RunEvent`]). The
//! end of stdin ends it, so it never outlives the server that started it; ending it is how a run is cancelled.

use std::io::Write;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, Lines};

use super::config::Policy;
use super::pipeline::{Cycle, Outcome, Progress, Request, Settings};
use super::schedule::Schedule;
use super::steps::weigh::Weighed;
use crate::evaluation::{Ageing, Decision};
use crate::store::run::{self, RunCommand, RunEvent, RunState};
use crate::store::{Note, Store};

/// The longest uninterrupted wait: the clock may be set meanwhile.
const NAP: Duration = Duration::from_secs(30);

/// When the adaptive policy looks whether a day of log has come: at the start, and then every `refresh.look`.
struct Looks {
    every: Duration,
    next: Option<Instant>,
    problem: String,
}

impl Looks {
    fn new(settings: &Settings) -> Self {
        let next = (settings.refresh.policy == Policy::Adaptive).then(Instant::now);
        Self { every: settings.refresh.look, next, problem: String::new() }
    }

    fn left(&self) -> Duration {
        self.next.map_or(Duration::MAX, |next| next.saturating_duration_since(Instant::now()))
    }

    fn looked(&mut self) {
        self.next = Instant::now().checked_add(self.every);
    }

    /// Tells a problem, unless it is the same as before.
    fn failed(&mut self, problem: &str) {
        if self.problem != problem {
            tracing::error!("whether to refresh cannot be weighed: {problem}");
            self.problem = problem.to_owned();
        }
    }
}

fn name(kind: &str) -> String {
    format!("{kind}-{}", Utc::now().format("%Y%m%dT%H%M%S%.3fZ"))
}

fn note(who: &str, why: &str) -> Note {
    Note { who: who.into(), why: why.into() }
}

/// A refresher that runs until its commands end.
pub struct Agent<W> {
    /// What decides the table.
    pub settings: Settings,
    /// Where it is published.
    pub store: Store,
    /// The channel it keeps fresh.
    pub channel: String,
    /// Where events go.
    pub events: W,
}

impl<W: Write + Send> Agent<W> {
    /// Follows the schedule and `commands` until they end.
    pub async fn run(mut self, commands: impl AsyncBufRead + Unpin) -> std::io::Result<()> {
        let mut commands = commands.lines();
        let last_run = self.live_since().filter(|_| !self.was_cut_short());
        let mut schedule = Schedule::new(self.settings.refresh.policy.clone(), last_run);
        let mut last = RunEvent::default();
        let mut looks = Looks::new(&self.settings);
        loop {
            let next = schedule.next(Utc::now());
            self.say(&RunEvent { at: Utc::now(), next, ..last.clone() })?;
            let Some((run, note)) = self.wait(&mut commands, next, &mut looks).await? else { return Ok(()) };
            let began = Utc::now();
            last = self.cycle(run, note).await?;
            schedule.ran(began, last.state != RunState::Failed);
        }
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

    /// Until the next run: its name and who wants it. `None` when the server is gone.
    async fn wait(
        &mut self,
        commands: &mut Lines<impl AsyncBufRead + Unpin>,
        next: Option<DateTime<Utc>>,
        looks: &mut Looks,
    ) -> std::io::Result<Option<(String, Note)>> {
        loop {
            let left = next.map(|next| (next - Utc::now()).to_std().unwrap_or(Duration::ZERO));
            let pause = left.unwrap_or(NAP).min(looks.left()).min(NAP);
            tokio::select! {
                line = commands.next_line() => match line? {
                    None => return Ok(None),
                    Some(line) => match serde_json::from_str(&line) {
                        Ok(RunCommand::Run { run, who, why }) => return Ok(Some((run, Note { who, why }))),
                        Err(error) => tracing::error!(%line, %error, "the refresher was told what it does not understand"),
                    },
                },
                () = tokio::time::sleep(pause) => {
                    if left.is_some_and(|left| left <= pause) {
                        return Ok(Some((name("scheduled"), note("schedule", "the schedule says so"))));
                    }
                    if looks.left().is_zero() {
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

    /// Weighs whether to refresh, if a day of log has come that was not weighed yet. What fails is told once and tried
    /// again at the next look.
    async fn weigh(&mut self, next: Option<DateTime<Utc>>, looks: &mut Looks) -> std::io::Result<Option<Weighed>> {
        let request = Request::of_log(self.channel.clone(), note("adaptive", "a day of log has come"));
        let weighed = Cycle { settings: &self.settings, store: &self.store, request: &request }.weigh().await;
        let weighed = match weighed {
            Ok(weighed) => weighed,
            Err(error) => {
                looks.failed(&error.to_string());
                return Ok(None);
            }
        };
        if let Some(Weighed { log_to, live, decision }) = &weighed {
            tracing::info!(%log_to, %live, "{decision}");
            let loss = decision.ageing.loss.map(|loss| loss.value);
            let Decision { refresh, finetune, gain, cost, ageing: Ageing { age, .. }, .. } = *decision;
            let weighed = Some(run::Weighed { refresh, finetune, age, loss, gain, cost });
            self.say(&RunEvent { at: Utc::now(), next, weighed, ..RunEvent::default() })?;
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
            broken = std::mem::replace(&mut broken, Ok(())).and_then(|()| self.say(&now));
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

    fn say(&mut self, event: &RunEvent) -> std::io::Result<()> {
        let line = serde_json::to_string(event)?;
        writeln!(self.events, "{line}")?;
        self.events.flush()
    }
}
