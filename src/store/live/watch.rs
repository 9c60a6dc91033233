//! Watching the channels, and what others may ask of the watcher.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::super::error::failed;
use super::super::{Store, StoreError};
use super::heads::Heads;
use super::load::{Loaded, Loads};
use super::retire::Retirer;
use super::swap::Swap;
use super::{Live, LiveConfig};

/// Looking more often than this costs more than it tells.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// Owns the threads that watch the channels, load tables and retire them. Dropping it stops the first two; what is
/// live stays so for as long as a [`Live`] does, and the last thread waits for that.
#[derive(Debug)]
pub struct Watcher {
    events: Sender<Event>,
    ready: watch::Receiver<bool>,
}

/// Asks a watcher to look at the channels now.
#[derive(Clone, Debug)]
pub struct Reloader(Sender<Event>);

/// What a reload found and did not take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// For each version refused, and each channel that cannot be read: which, and why.
    pub refused: Vec<String>,
}

/// What wakes the watcher before its time.
#[derive(Debug)]
enum Event {
    Loaded(Box<Loaded>),
    Reload(oneshot::Sender<ReloadReport>),
    Stop,
}

impl Watcher {
    /// Starts watching. The first look at the channels happens at once, on the watcher's own thread.
    pub fn start(store: Store, config: LiveConfig) -> Result<(Self, Live), StoreError> {
        let cache = config.cache.unwrap_or_else(|| store.drafts_dir());
        std::fs::create_dir_all(&cache).map_err(failed("making the folder", &cache))?;
        let live = Live(Arc::default());
        let (events, happened) = mpsc::channel();
        let (set_ready, ready) = watch::channel(false);
        let deliver = {
            let events = events.clone();
            move |loaded| events.send(Event::Loaded(Box::new(loaded))).is_ok()
        };
        let spawn = || {
            let loads = Loads::start(store.clone(), cache, config.residence, deliver)?;
            let swap = Swap::new(Arc::clone(&live.0), Retirer::start()?);
            let watch = Watch { heads: Heads::new(store.clone()), loads, swap, ready: set_ready, asked: Vec::new() };
            let poll = config.poll.max(SHORTEST_POLL);
            thread::Builder::new().name("segue-watch".into()).spawn(move || watch.run(&happened, poll))
        };
        spawn().map_err(failed("starting the threads that watch", store.path()))?;
        Ok((Self { events, ready }, live))
    }

    /// A handle that asks for reloads.
    pub fn reloader(&self) -> Reloader {
        Reloader(self.events.clone())
    }

    /// Turns true once any channel has a table, and never false again.
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It fails only if the thread has ended before.
        let _ = self.events.send(Event::Stop);
    }
}

impl Reloader {
    /// Looks at the channels now, tries again what was refused, and returns once nothing is left to be swapped in.
    pub async fn reload(&self) -> ReloadReport {
        self.ask().await.unwrap_or_else(|_| stopped())
    }

    /// The same for threads that may wait.
    ///
    /// # Panics
    /// Within an asynchronous task.
    pub fn blocking_reload(&self) -> ReloadReport {
        self.ask().blocking_recv().unwrap_or_else(|_| stopped())
    }

    /// The report to come; none will from a watcher that has been stopped.
    fn ask(&self) -> oneshot::Receiver<ReloadReport> {
        let (reply, report) = oneshot::channel();
        // Unsent, the reply is dropped, which the receiver learns of.
        let _ = self.0.send(Event::Reload(reply));
        report
    }
}

fn stopped() -> ReloadReport {
    ReloadReport { refused: vec!["the watcher has been stopped".into()] }
}

/// The watching thread's state.
struct Watch {
    heads: Heads,
    loads: Loads,
    swap: Swap,
    ready: watch::Sender<bool>,
    /// Who waits for everything to be settled.
    asked: Vec<oneshot::Sender<ReloadReport>>,
}

impl Watch {
    fn run(mut self, events: &Receiver<Event>, poll: Duration) {
        loop {
            self.look();
            match events.recv_timeout(poll) {
                Ok(Event::Loaded(loaded)) => {
                    if let Some((version, table)) = self.loads.take(*loaded) {
                        self.swap.insert(version, table);
                    }
                }
                Ok(Event::Reload(reply)) => {
                    self.loads.forgive();
                    self.asked.push(reply);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self) {
        self.heads.refresh();
        let any = self.swap.settle(&self.heads);
        self.ready.send_if_modified(|ready| any && !std::mem::replace(ready, true));
        self.loads.request(&self.swap.wanted(&self.heads));
        if self.loads.is_idle() {
            let refused: Vec<String> = self.loads.refusals().chain(self.heads.troubles().cloned()).collect();
            for reply in self.asked.drain(..) {
                // Who asked may have gone.
                let _ = reply.send(ReloadReport { refused: refused.clone() });
            }
        }
    }
}
