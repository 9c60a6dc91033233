//! The live swap: what a server answers from, and how it is exchanged without a pause.
//!
//! One thread watches the channels, one loads tables, one retires them. A request takes one atomic load and keeps what
//! it got to its end, so that one version decides its whole answer.
//!
//! A table is never served from the store's file, which anyone might cut off or overwrite. It is copied to where no
//! path leads, verified there, which reads it into memory, and only then swapped in. Whatever is wrong with it,
//! the table before stays.
//!
//! A server watches like this, and so may any other process that wants the answers without a network between:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/served.rs"));
//! use segue::lookup::{Query, Scratch};
//! use segue::store::live::{LiveConfig, Watcher};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let store = store(dir.path())?;
//! let (watcher, live) = Watcher::start(store.clone(), LiveConfig::default())?;
//! let report = watcher.reloader().blocking_reload(); // what is published by now is live, or refused
//! assert!(report.refused.is_empty());
//!
//! let mut scratch = Scratch::default();
//! let question = Query { history: &[3, 0], limit: 1, exclude: &[] };
//! for _request in 0..1000 {
//!     let channels = live.load(); // anew for each request: it may have been swapped
//!     let main = channels.get("main").ok_or("nothing has been published")?;
//!     assert_eq!(main.lookup(question, &mut scratch)?.predictions[0].cluster.0, 25);
//! }
//! # Ok(()) }
//! ```

mod heads;
mod load;
mod metrics;
mod retire;
mod snapshot;
mod swap;
mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use serde::{Deserialize, Serialize};

pub use metrics::describe_metrics;
pub use snapshot::Snapshot;
pub use watch::{ReloadReport, Reloader, Watcher};

/// How tables are kept in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residence {
    /// Mapped from a private file, read in before the swap; the kernel may drop pages when memory is short, and then
    /// the disk under the cache must still be there.
    #[default]
    Mapped,
    /// Locked in memory: survives a failing disk, and needs RLIMIT_MEMLOCK to allow it.
    Locked,
}

/// How live tables are held and how channels are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveConfig {
    /// Where the private copies lie, which no path leads to; the store itself where not set. It needs room for two
    /// tables a channel. On a tmpfs the tables are shared memory.
    pub cache: Option<PathBuf>,
    /// How tables are kept in memory.
    pub residence: Residence,
    /// How often the channels are looked at; at least 10 ms.
    pub poll: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self { cache: None, residence: Residence::Mapped, poll: Duration::from_millis(250) }
    }
}

/// The reading side, for request threads. Clones show the same.
#[derive(Clone, Debug)]
pub struct Live(Arc<ArcSwap<LiveChannels>>);

impl Live {
    /// The channels as they are now; wait-free. Take it once a request and answer wholly from it. Do not keep it
    /// across an await: what it holds cannot be retired.
    #[inline]
    pub fn load(&self) -> Guard<Arc<LiveChannels>> {
        self.0.load()
    }
}

/// Every channel that has a table.
#[derive(Debug, Default)]
pub struct LiveChannels(BTreeMap<String, Arc<Snapshot>>);

impl LiveChannels {
    /// A channel's snapshot.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Snapshot> {
        self.0.get(name).map(Arc::as_ref)
    }

    /// All snapshots, by channel name.
    pub fn iter(&self) -> impl Iterator<Item = &Snapshot> {
        self.0.values().map(Arc::as_ref)
    }

    /// Whether no channel has a table yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
