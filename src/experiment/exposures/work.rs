//! What the writing thread does: it counts exposures and writes them.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use chrono::DateTime;
use metrics::{Counter, counter};

use super::Exposure;
use super::arms::Dealing;
use super::config::ExposuresConfig;
use super::encode::encode;
use super::place::Place;
use super::today::Today;

/// How often the queue is looked at. Looking rather than waiting spares lookups the cost of waking this thread.
const LOOK: Duration = Duration::from_millis(50);

/// The pause after a file that could not be written. The queue fills up meanwhile, and drops are counted there.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Work {
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
    /// Tells this process's files from those of others that write to the same place.
    token: u64,
    files: u64,
    counters: Counters,
}

/// What becomes of exposures that were taken.
pub(super) struct Counters {
    written: Counter,
    failures: Counter,
    lost: Counter,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            written: counter!("segue_exposures_written_total"),
            failures: counter!("segue_exposure_write_failures_total"),
            lost: counter!("segue_exposures_lost_total"),
        }
    }

    pub(super) fn tell_lost(&self, lost: usize) {
        if lost > 0 {
            self.lost.increment(lost as u64);
            tracing::error!(lost, "exposures are lost: [exposures] path cannot be written to");
        }
    }
}

impl Work {
    pub(super) fn new(
        config: &ExposuresConfig,
        place: Option<Place>,
        queue: Receiver<Exposure>,
        dealing: Arc<Dealing>,
    ) -> Self {
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
            files: 0,
            counters: Counters::new(),
        }
    }

    pub(super) fn run(mut self, stop: &AtomicBool) {
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
        let (name, exposures) = (self.name(), self.batch.len());
        let bytes = encode(&self.batch).map_err(io::Error::other);
        if let Err(problem) = bytes.and_then(|bytes| place.put(&name, bytes)) {
            self.counters.failures.increment(1);
            tracing::error!(%place, name, %problem, exposures, "exposures cannot be written");
            return false;
        }
        self.counters.written.increment(exposures as u64);
        self.files += 1;
        self.batch.clear();
        true
    }

    /// A name that no other file of this or another process has, in order of time.
    fn name(&self) -> String {
        let first = self.batch.first().and_then(|first| DateTime::from_timestamp_micros(first.at)).unwrap_or_default();
        let (time, token, number) = (first.format("%Y%m%dT%H%M%SZ"), self.token, self.files);
        format!("exposures-{time}-{token:016x}-{number}.parquet")
    }

    /// What is left could not be written.
    fn end(self) {
        if self.place.is_some() {
            self.counters.tell_lost(self.batch.len() + self.queue.try_iter().count());
        }
    }
}
