//! The refresher's process: started, listened to, told what to do, ended, and started again.
//!
//! Whatever happens to it, lookups do not notice: the two share the store and a pipe.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use super::metrics;
use crate::serve::{RefreshAction, RefreshCommand, RefreshControl, RefreshRefusal};
use crate::store::run::{RunCommand, RunEvent, RunState};

/// The wait before a crashed refresher is started again; each further crash doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LAST_WAIT: Duration = Duration::from_secs(60);
/// A process that lived this long starts again with the first wait.
const SETTLED: Duration = Duration::from_secs(300);
/// How long a process may live on that has closed its output.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Keeps the refresher's process running.
pub(super) struct Supervisor {
    args: Vec<OsString>,
    events: watch::Sender<RunEvent>,
    commands: mpsc::Receiver<RefreshCommand>,
    crashes: u32,
    was_cancelled: bool,
}

/// The process with its two ends of the pipe.
struct Refresher {
    process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Why a process is no longer attended.
enum Ended {
    /// Someone cancelled its run.
    Cancelled { why: String },
    /// It ended by itself, or could not be started.
    Crashed(std::io::Result<ExitStatus>),
}

impl Supervisor {
    /// `args` make this binary the refresher.
    pub(super) fn new(args: Vec<OsString>) -> (Self, RefreshControl) {
        let (events, watching) = watch::channel(RunEvent { at: Utc::now(), ..RunEvent::default() });
        let (sender, commands) = mpsc::channel(16);
        let control = RefreshControl { commands: sender, events: watching };
        (Self { args, events, commands, crashes: 0, was_cancelled: false }, control)
    }

    /// Keeps a refresher running for ever; dropping the future ends it.
    pub(super) async fn run(mut self) {
        loop {
            let started = Instant::now();
            let ended = match Refresher::start(&self.args, std::mem::take(&mut self.was_cancelled)) {
                Ok(refresher) => self.attend(refresher).await,
                Err(error) => Ended::Crashed(Err(error)),
            };
            match ended {
                Ended::Cancelled { why } => self.cancelled(why),
                Ended::Crashed(status) => {
                    let wait = self.crashed(&status, started.elapsed());
                    self.decline_for(wait).await;
                }
            }
        }
    }

    /// Passes events out and commands in, until the process ends.
    async fn attend(&mut self, mut refresher: Refresher) -> Ended {
        loop {
            tokio::select! {
                event = refresher.next_event() => match event {
                    Some(event) => self.tell(self.merged(event)),
                    None => return Ended::Crashed(refresher.ended().await),
                },
                Some(command) = self.commands.recv() => {
                    let RefreshCommand { action, note, answer } = command;
                    let under_way = self.under_way();
                    let said = match (action, under_way) {
                        (RefreshAction::Start, Some(run)) => Err(RefreshRefusal::UnderWay { run }),
                        (RefreshAction::Start, None) => self.begin(&mut refresher, note.who, note.why).await,
                        (RefreshAction::Cancel, None) => Err(RefreshRefusal::NoneUnderWay),
                        (RefreshAction::Cancel, Some(run)) => {
                            // An error means that it has ended already, which is what was asked for.
                            let _ = refresher.process.kill().await;
                            let _ = answer.send(Ok(run));
                            return Ended::Cancelled { why: format!("cancelled by {}: {}", note.who, note.why) };
                        }
                    };
                    // Who asked may have gone; the run goes on.
                    let _ = answer.send(said);
                }
            }
        }
    }

    /// A refresher that was just started knows of no run: how the last one ended stays told. After a crash it is idle
    /// again, which is news.
    fn merged(&self, event: RunEvent) -> RunEvent {
        let told = self.events.borrow().clone();
        match (event.state, told.state) {
            (RunState::Idle, RunState::Crashed) => RunEvent { run: told.run, message: told.message, ..event },
            (RunState::Idle, _) => RunEvent { next: event.next, weighed: event.weighed, tuning: event.tuning, ..told },
            _ => event,
        }
    }

    fn under_way(&self) -> Option<String> {
        let event = self.events.borrow();
        (event.state == RunState::Running).then(|| event.run.clone())
    }

    async fn begin(&mut self, refresher: &mut Refresher, who: String, why: String) -> Result<String, RefreshRefusal> {
        let run = format!("asked-{}", Utc::now().format("%Y%m%dT%H%M%S%.3fZ"));
        let command = RunCommand::Run { run: run.clone(), who, why };
        refresher.send(&command).await.map_err(|error| RefreshRefusal::Away(error.to_string()))?;
        // Told at once, so that whoever asks next sees it under way.
        let (at, tuning) = (Utc::now(), self.events.borrow().tuning.clone());
        self.tell(RunEvent { at, run: run.clone(), state: RunState::Running, tuning, ..RunEvent::default() });
        Ok(run)
    }

    fn tell(&self, event: RunEvent) {
        let told = self.events.borrow().clone();
        metrics::refresh_event(&told, &event);
        let before = told.state;
        match event.state {
            RunState::Failed => {
                tracing::error!(run = event.run, step = event.step, "refresh failed: {}", event.message)
            }
            RunState::Held => {
                tracing::warn!(run = event.run, version = event.version.map(|v| v.0), "refresh held: {}", event.message)
            }
            RunState::Published | RunState::NothingToDo if before == RunState::Running => {
                tracing::info!(
                    run = event.run,
                    version = event.version.map(|v| v.0),
                    "refresh ended: {}",
                    event.message
                );
            }
            _ => tracing::debug!(run = event.run, step = event.step, done = event.done, "{}", event.message),
        }
        self.events.send_replace(event);
    }

    fn cancelled(&mut self, message: String) {
        (self.crashes, self.was_cancelled) = (0, true);
        tracing::warn!("refresh {message}");
        let now = self.events.borrow().clone();
        self.tell(RunEvent { at: Utc::now(), state: RunState::Cancelled, message, next: None, tuning: None, ..now });
    }

    /// Tells of the crash; returns how long to wait before the next start.
    fn crashed(&mut self, status: &std::io::Result<ExitStatus>, lived: Duration) -> Duration {
        self.crashes = if lived >= SETTLED { 1 } else { self.crashes.saturating_add(1) };
        let wait = FIRST_WAIT.saturating_mul(1 << (self.crashes - 1).min(16)).min(LAST_WAIT);
        let how = match status {
            Ok(status) => format!("the refresher ended ({status})"),
            Err(error) => format!("the refresher could not be started ({error})"),
        };
        let message =
            format!("{how}; the live table stays, and it is started again in {}", humantime::format_duration(wait));
        tracing::error!("{message}");
        let now = self.events.borrow().clone();
        self.tell(RunEvent { at: Utc::now(), state: RunState::Crashed, message, next: None, tuning: None, ..now });
        wait
    }

    /// Turns commands away while there is no process.
    async fn decline_for(&mut self, wait: Duration) {
        let until = tokio::time::Instant::now() + wait;
        while let Ok(Some(command)) = tokio::time::timeout_at(until, self.commands.recv()).await {
            let message = self.events.borrow().message.clone();
            let _ = command.answer.send(Err(RefreshRefusal::Away(message)));
        }
        tokio::time::sleep_until(until).await;
    }
}

impl Refresher {
    fn start(args: &[OsString], after_a_cancelled_run: bool) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(args)
            .args(after_a_cancelled_run.then_some("--cancelled"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        // A group of its own: Ctrl-C in a terminal is for the server, which ends it in its own time.
        let mut process = command.process_group(0).kill_on_drop(true).spawn()?;
        let missing = || std::io::Error::other("its pipes are missing");
        let stdin = process.stdin.take().ok_or_else(missing)?;
        let lines = BufReader::new(process.stdout.take().ok_or_else(missing)?).lines();
        Ok(Self { process, stdin, lines })
    }

    async fn send(&mut self, command: &RunCommand) -> std::io::Result<()> {
        let line = serde_json::to_string(command)? + "\n";
        self.stdin.write_all(line.as_bytes()).await?;
        self.stdin.flush().await
    }

    /// Waits until the process is over. One whose events nobody can hear any more is ended where it lives on.
    async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        if let Ok(ended) = tokio::time::timeout(LAST_WORDS, self.process.wait()).await {
            return ended;
        }
        self.process.kill().await?;
        self.process.wait().await
    }

    /// The next event; `None` when the process has closed its end, or says what is no text.
    async fn next_event(&mut self) -> Option<RunEvent> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(event) => return Some(event),
                Err(error) => tracing::warn!(%line, %error, "the refresher said what is not understood"),
            }
        }
        None
    }
}
