//! The threads that answer lookups, each with a runtime of its own.
//!
//! A connection stays on its thread: no call is handed from core to core, and no lock or wake-up is paid for between
//! its parts. Connections are dealt to the thread that has the fewest.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Running threads, until it is dropped: connections that are open then are cut.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
    /// Its end is the thread's.
    _stop: oneshot::Sender<()>,
}

/// Counts as a connection of its thread for as long as it is held.
pub(super) struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    pub(super) fn start(count: usize) -> io::Result<Self> {
        (0..count).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    /// The thread with the fewest connections, with one more now.
    pub(super) fn seat(&self) -> (Handle, Seat) {
        let fewest = self.0.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let worker = fewest.expect("there is at least one");
        worker.connections.fetch_add(1, Ordering::Relaxed);
        (worker.runtime.clone(), Seat(Arc::clone(&worker.connections)))
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let worker = Self { runtime: runtime.handle().clone(), connections: Arc::default(), _stop: stop };
        thread::Builder::new().name(format!("segue-lookup-{number}")).spawn(move || {
            // Its sender is dropped, never used.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(worker)
    }
}
