//! The thread that counts exposures and writes them.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chrono::DateTime;
use metrics::counter;

use super::Exposure;
use super::arms::Dealing;
use super::config::{ExposuresConfig, ExposuresError};
use super::encode::encode;
use super::place::Place;
use super::today::Today;

/// How often the queue is looked at. Looking rather than waiting spares lookups the cost of waking this thread.
const LOOK: Duration = Duration::from_millis(50);

/// The pause after a file that could not be written. The queue fills up meanwhile, and drops are counted there.
const RETRY: Duration = Duration::from_secs(1);

/// The writing thread's owner: dropped, it has all that was noted before written, and waits for that.
pub struct ExposureWriter(pub(super) Arc<Slot>);

/// The writing thread's place: empty, then with a queue that waits for a thread, then with the thread.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<State>>);

enum State {
    Waiting(Receiver<Exposure>, Arc<Dealing>),
    Writing(Arc<AtomicBool>, JoinHandle<()>),
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A queue to be written from once the thread is begun.
    pub(super) fn fill(&self, queue: Receiver<Exposure>, dealing: Arc<Dealing>) {
        *self.lock() = Some(State::Waiting(queue, dealing));
    }

    /// Starts the thread where a queue waits for it. After an error the queue waits on.
    pub(super) fn begin(&self, config: &ExposuresConfig) -> Result<(), ExposuresError> {
        let mut slot = self.lock();
        if !matches!(*slot, Some(State::Waiting(..))) {
            return Ok(());
        }
        let place = config.path.as_deref().map(Place::open).transpose()?;
        if place.is_none() {
            tracing::warn!("exposures are counted but not logged: [exposures] path names the place to log them to");
        }
        let Some(State::Waiting(queue, dealing)) = slot.take() else { return Ok(()) };
        let stop = Arc::new(AtomicBool::new(false));
        let work = Work::new(config, place, queue, dealing);
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("exposures".into()).spawn(move || work.run(&stopped));
        *slot = Some(State::Writing(stop, thread.map_err(ExposuresError::Thread)?));
        Ok(())
    }
}

impl Drop for ExposureWriter {
    fn drop(&mut self) {
        // Taken out before it is waited for: nobody else is held up.
        let state = self.0.lock().take();
        match state {
            Some(State::Writing(stop, thread)) => {
                stop.store(true, Ordering::Release);
                thread.thread().unpark();
                // A panic there has told of itself.
                let _ = thread.join();
            }
            Some(State::Waiting(queue, _)) => tell_lost(queue.try_iter().count()),
            None => {}
        }
    }
}

struct Work {
    /// None where exposures are only counted.
    place: Option<Place>,
    queue: Receiver<Exposure>,
    dealing: Arc<Dealing>,
    batch: Vec<Exposure>,
    /// When the batch's first exposure came.
    began: Instant,
    every: Duration,
    rows: usize,
    today: Today,
    /// Tells this process's files from those of others that write to the directory.
    token: u64,
    written: u64,
}

impl Work {
    fn new(config: &ExposuresConfig, place: Option<Place>, queue: Receiver<Exposure>, dealing: Arc<Dealing>) -> Self {
        Self {
            place,
            queue,
            dealing,
            batch: Vec::new(),
            began: Instant::now(),
            every: config.every,
            rows: config.rows.get(),
            today: Today::default(),
            token: RandomState::new().hash_one(std::process::id()),
            written: 0,
        }
    }

    fn run(mut self, stop: &AtomicBool) {
        let mut pause = LOOK;
        loop {
            thread::park_timeout(pause);
            // Before the queue is emptied: what was noted before the order to stop is in it.
            let stopping = stop.load(Ordering::Acquire);
            pause = if self.work_off(stopping) { LOOK } else { RETRY };
            self.today.show(&self.dealing.get());
            if stopping {
                return self.end();
            }
        }
    }

    /// Empties the queue and writes what is due; false if that failed.
    fn work_off(&mut self, all: bool) -> bool {
        while self.take() {
            if !self.write() {
                return false;
            }
        }
        let is_due = !self.batch.is_empty() && (all || self.began.elapsed() >= self.every);
        !is_due || self.write()
    }

    /// Fills the batch from the queue; true once it is full.
    fn take(&mut self) -> bool {
        while self.batch.len() < self.rows {
            let Ok(exposure) = self.queue.try_recv() else { return false };
            self.today.count(&exposure);
            if self.place.is_none() {
                continue;
            }
            if self.batch.is_empty() {
                self.began = Instant::now();
            }
            self.batch.push(exposure);
        }
        true
    }

    /// Writes the batch. If that fails, which is false, it stays and is tried again.
    fn write(&mut self) -> bool {
        let Some(place) = &self.place else { return true };
        let name = self.name();
        let bytes = encode(&self.batch).map_err(io::Error::other);
        if let Err(problem) = bytes.and_then(|bytes| place.put(&name, bytes)) {
            counter!("segue_exposure_write_failures_total").increment(1);
            let exposures = self.batch.len();
            tracing::error!(%place, name, %problem, exposures, "exposures cannot be written");
            return false;
        }
        counter!("segue_exposures_written_total").increment(self.batch.len() as u64);
        self.written += 1;
        self.batch.clear();
        true
    }

    /// A name that no other file of this or another process has, in order of time.
    fn name(&self) -> String {
        let first = self.batch.first().and_then(|first| DateTime::from_timestamp_micros(first.at)).unwrap_or_default();
        let (time, token, number) = (first.format("%Y%m%dT%H%M%SZ"), self.token, self.written);
        format!("exposures-{time}-{token:016x}-{number}.parquet")
    }

    /// What is left could not be written.
    fn end(self) {
        if self.place.is_some() {
            tell_lost(self.batch.len() + self.queue.try_iter().count());
        }
    }
}

fn tell_lost(lost: usize) {
    if lost > 0 {
        counter!("segue_exposures_lost_total").increment(lost as u64);
        tracing::error!(lost, "exposures are lost: [exposures] path cannot be written to");
    }
}
