//! The thread that counts exposures and writes them: when it starts, and how it ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::Exposure;
use super::arms::Dealing;
use super::config::{ExposuresConfig, ExposuresError};
use super::place::Place;
use super::work::{Counters, Work};

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
        self.begin_in(config, thread::Builder::new().name("exposures".into()))
    }

    fn begin_in(&self, config: &ExposuresConfig, thread: thread::Builder) -> Result<(), ExposuresError> {
        let mut slot = self.lock();
        if !matches!(*slot, Some(State::Waiting(..))) {
            return Ok(());
        }
        let place = config.path.as_deref().map(Place::open).transpose()?;
        if place.is_none() {
            tracing::warn!("exposures are counted but not logged: [exposures] path names the place to log them to");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // What a thread that does not start was given is gone: the queue follows once it has started.
        let (hand, handed) = mpsc::channel::<Work>();
        let run = move || handed.into_iter().for_each(|work| work.run(&stopped));
        let started = thread.spawn(run).map_err(ExposuresError::Thread)?;
        if let Some(State::Waiting(queue, dealing)) = slot.replace(State::Writing(stop, started)) {
            // It waits for this.
            let _ = hand.send(Work::new(config, place, queue, dealing));
        }
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
            Some(State::Waiting(queue, _)) => Counters::new().tell_lost(queue.try_iter().count()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::experiment::Experiments;
    use crate::experiment::exposures::arms::Arm;

    #[test]
    fn a_thread_that_does_not_start_takes_nothing_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = ExposuresConfig { path: Some(dir.path().display().to_string()), ..Default::default() };
        let json = serde_json::json!({"name": "rag", "salt": "s", "arms": [
            {"name": "control", "weight": 0.5, "channel": "a"}, {"name": "fresh", "weight": 0.5, "channel": "b"},
        ]});
        let experiments = Experiments::new(&[serde_json::from_value(json).unwrap()]).unwrap();
        let (queue, waiting) = sync_channel(1);
        let writer = ExposureWriter(Arc::default());
        writer.0.fill(waiting, Arc::default());
        let arm = Arm::of(&experiments).remove(0).remove(0);
        queue.send(Exposure { arm, unit: "a".into(), at: 0, version: 1, is_new: true }).unwrap();
        // No system has so much room for a stack.
        let refused = writer.0.begin_in(&config, thread::Builder::new().stack_size(1 << 60));
        assert!(refused.unwrap_err().to_string().contains("cannot be started"));
        writer.0.begin(&config).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "it is written");
    }
}
