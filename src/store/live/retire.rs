//! Where tables go when no channel points at them any more.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::super::Mapping;
use super::metrics::LIVE_TABLES;
use crate::table::Table;

/// How often the retirer looks whether the last request has let go.
const PATIENCE: Duration = Duration::from_millis(20);

/// Holds the last reference of every retired table until no request has one, and only then gives its memory back, in
/// small steps: a request thread that drops its own reference is never the one to unmap a table.
///
/// The thread ends once this is dropped and the last table is gone.
#[derive(Debug)]
pub(super) struct Retirer(Sender<Arc<Table<Mapping>>>);

impl Retirer {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, retired) = mpsc::channel();
        thread::Builder::new().name("segue-retire".into()).spawn(move || run(&retired))?;
        Ok(Self(sender))
    }

    /// Takes over a reference. Everyone else's must have been made from it, and be on its way out.
    pub(super) fn retire(&self, table: Arc<Table<Mapping>>) {
        // The thread outlives this handle, so the send does not fail.
        let _ = self.0.send(table);
    }
}

fn run(retired: &Receiver<Arc<Table<Mapping>>>) {
    let mut waiting = Vec::new();
    loop {
        match next(retired, waiting.is_empty()) {
            Ok(table) => waiting.push(table),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => return,
            // No more will come, and a closed channel no longer waits.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(PATIENCE),
        }
        waiting = waiting.into_iter().filter_map(|table| release(table).err()).collect();
    }
}

fn next(retired: &Receiver<Arc<Table<Mapping>>>, nothing_waits: bool) -> Result<Arc<Table<Mapping>>, RecvTimeoutError> {
    if nothing_waits {
        return retired.recv().map_err(|_| RecvTimeoutError::Disconnected);
    }
    retired.recv_timeout(PATIENCE)
}

/// Drops the table if this is the last reference to it, and gives the reference back if it is not.
fn release(table: Arc<Table<Mapping>>) -> Result<(), Arc<Table<Mapping>>> {
    let table = Arc::try_unwrap(table)?;
    tracing::debug!("giving a table's memory back");
    drop(table);
    tracing::debug!("a table is gone");
    metrics::gauge!(LIVE_TABLES).decrement(1.0);
    Ok(())
}
