//! The thread that counts exposures and writes them.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chrono::DateTime;
use metrics::{counter, gauge};

use super::config::{ExposuresConfig, ExposuresError};
use super::{Exposure, encode};
use crate::experiment::Experiments;
use crate::experiment::analyze::sample_ratio;

/// How often the queue is looked at. Looking rather than waiting spares lookups the cost of waking this thread.
const LOOK: Duration = Duration::from_millis(50);

/// The pause after a file that could not be written. The queue fills up meanwhile, and drops are counted there.
const RETRY: Duration = Duration::from_secs(1);

/// What the places of exposures are called.
pub(super) struct Names(Vec<Named>);

struct Named {
    experiment: String,
    arms: Vec<String>,
    weights: Vec<f64>,
}

impl Names {
    pub(super) fn of(experiments: &Experiments) -> Self {
        let named = |config: &crate::experiment::Config| Named {
            experiment: config.name.clone(),
            arms: config.arms.iter().map(|arm| arm.name.clone()).collect(),
            weights: config.arms.iter().map(|arm| arm.weight).collect(),
        };
        Self(experiments.configs().map(named).collect())
    }

    /// Experiment and arm.
    pub(super) fn get(&self, (experiment, arm): (usize, usize)) -> (&str, &str) {
        let named = &self.0[experiment];
        (&named.experiment, &named.arms[arm])
    }
}

/// The writing thread's owner: dropped, it has all that was noted before written, and waits for that.
pub struct ExposureWriter {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ExposureWriter {
    pub(super) fn start(
        config: &ExposuresConfig,
        names: Names,
        queue: Receiver<Exposure>,
    ) -> Result<Self, ExposuresError> {
        let directory = config.path.as_ref().map(PathBuf::from);
        if let Some(path) = &directory {
            encode::prepare(path).map_err(|source| ExposuresError::Directory { path: path.clone(), source })?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let counts = names.0.iter().map(|named| vec![0; named.arms.len()]).collect();
        let work = Work {
            today: Today { day: i64::MIN, counts },
            directory,
            names,
            queue,
            batch: Vec::new(),
            began: Instant::now(),
            every: config.every,
            rows: config.rows.get(),
            token: RandomState::new().hash_one(std::process::id()),
            written: 0,
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("exposures".into()).spawn(move || work.run(&stopped));
        Ok(Self { stop, thread: Some(thread.map_err(ExposuresError::Thread)?) })
    }
}

impl Drop for ExposureWriter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there has told of itself.
            let _ = thread.join();
        }
    }
}

struct Work {
    /// None where exposures are only counted.
    directory: Option<PathBuf>,
    names: Names,
    queue: Receiver<Exposure>,
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

/// Units by arm of the newest day: one exposure each, or nearly.
struct Today {
    day: i64,
    counts: Vec<Vec<u64>>,
}

impl Work {
    fn run(mut self, stop: &AtomicBool) {
        let mut pause = LOOK;
        loop {
            thread::park_timeout(pause);
            // Before the queue is emptied: what was noted before the order to stop is in it.
            let stopping = stop.load(Ordering::Acquire);
            pause = if self.work_off(stopping) { LOOK } else { RETRY };
            self.today.show(&self.names);
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
            if self.directory.is_none() {
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
        let Some(directory) = &self.directory else { return true };
        let path = self.path(directory);
        if let Err(problem) = encode::write(&path, &self.batch, &self.names) {
            counter!("segue_exposure_write_failures_total").increment(1);
            let exposures = self.batch.len();
            tracing::error!(path = %path.display(), %problem, exposures, "exposures cannot be written");
            return false;
        }
        counter!("segue_exposures_written_total").increment(self.batch.len() as u64);
        self.written += 1;
        self.batch.clear();
        true
    }

    /// A name that no other file of this or another process has, in order of time.
    fn path(&self, directory: &Path) -> PathBuf {
        let first = self.batch.first().and_then(|first| DateTime::from_timestamp_micros(first.at)).unwrap_or_default();
        let (time, token, number) = (first.format("%Y%m%dT%H%M%SZ"), self.token, self.written);
        directory.join(format!("exposures-{time}-{token:016x}-{number}.parquet"))
    }

    /// What is left could not be written.
    fn end(self) {
        let Some(directory) = &self.directory else { return };
        let lost = self.batch.len() + self.queue.try_iter().count();
        if lost > 0 {
            counter!("segue_exposures_lost_total").increment(lost as u64);
            let directory = directory.display();
            tracing::error!(lost, %directory, "exposures are lost: the directory cannot be written to");
        }
    }
}

impl Today {
    fn count(&mut self, exposure: &Exposure) {
        let day = exposure.day();
        if day > self.day {
            self.day = day;
            self.counts.iter_mut().for_each(|arms| arms.fill(0));
        }
        if day == self.day {
            self.counts[exposure.place.0][exposure.place.1] += 1;
        }
    }

    fn show(&self, names: &Names) {
        for (named, units) in names.0.iter().zip(&self.counts) {
            let ratio = sample_ratio(units, &named.weights);
            gauge!("segue_experiment_sample_ratio_p_value", "experiment" => named.experiment.clone())
                .set(ratio.p_value);
        }
    }
}
