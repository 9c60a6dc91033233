//! Versions of the table, the channels that point at them, and the live swap (section 2.1: predictions are stored
//! offline and looked up online; here is the place between the two).
//!
//! ```text
//! <store>/versions/<n>/table.segue, manifest.json, ...   immutable; n only grows
//! <store>/versions/<n>/judgements/<seq>.json             one file a judgement; the last says whether it may go live
//! <store>/versions/<n>/evaluations/<seq>.json            what somebody measured of it, and kept
//! <store>/versions/<n>/explain.segue                     why each key's row is what it is, where that was kept
//! <store>/channels/<name>/<seq>.json                     one file a move; the highest is where the channel points
//! <store>/experiments/<seq>.json                         one file a change of an experiment that a call declared
//! <store>/decisions/<channel>/<seq>.json                 when the adaptive policy refreshed, when not, and why
//! <store>/models/<n>/model.json, adapter.gguf           a tuned language model; n only grows
//! <store>/models/<n>/judgements/<seq>.json               one file a judgement; the last says whether it may be asked
//! <store>/tuning/...                                     where the refresher tunes a model; gone when one came of it
//! <store>/drafts/...                                     private to who works there; swept by gc once that has died
//! <store>/lock                                           held shared by who adds or moves, alone by gc
//! ```
//!
//! Every change becomes visible by one atomic step (a rename, a hard link) of files that were synced before it, so a
//! crash anywhere leaves the state before or after it, and at most a draft to sweep. Any number of processes may work
//! in one store. They trust each other: the store guards against accidents, not against forgers.
//!
//! The store knows nothing of requests or logs, and of models and experiments only what is written beside them.

mod channel;
mod decisions;
mod draft;
mod durable;
mod error;
mod evaluation;
mod experiments;
mod explain;
mod gc;
mod history;
mod judgement;
pub mod live;
mod manifest;
mod mapping;
pub mod models;
mod numbered;
mod private;
pub mod run;
mod version;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use channel::{Action, Channel, MAX_NOTE, Move, Note, TaxonomyChange};
pub use decisions::Decided;
pub use draft::Draft;
pub use error::StoreError;
pub use evaluation::Evaluation;
pub use experiments::{ExperimentAction, ExperimentChange, NewExperimentChange};
pub use explain::{ExplainWriter, Explanation, Successor};
pub use judgement::{Admit, Finding, Judgement, State};
pub use manifest::{Changed, Manifest, Provenance};
pub use mapping::Mapping;

use error::failed;

/// Where versions are kept, and how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The store's directory.
    pub path: String,
    /// What gc keeps beside the versions in use: so many of the newest, and so many steps of rollback in each channel.
    /// At least 1.
    pub keep: usize,
    /// Which versions channels may point at, and servers take.
    pub admit: Admit,
}

impl Default for Config {
    fn default() -> Self {
        Self { path: "segue-store".into(), keep: 10, admit: Admit::default() }
    }
}

/// A store. Cloning gives another handle on the same directory; nothing is cached in it.
///
/// All methods block on the disk. [`Store::add`], [`Store::publish`] and [`Store::rollback`] read a whole table.
#[derive(Clone, Debug)]
pub struct Store {
    root: Arc<Path>,
    keep: usize,
    admit: Admit,
}

impl Store {
    /// Opens a store, making its folders where they are missing. A store that exists may be read-only.
    pub fn open(config: &Config) -> Result<Self, StoreError> {
        let refused = |field, value, remedy| Err(StoreError::Config { field, value, remedy });
        let Config { path, keep, admit } = config;
        if path.contains("://") {
            return refused("path", path.clone(), "this build keeps stores in directories only; name a directory");
        }
        if path.is_empty() {
            return refused("path", path.clone(), "name a directory");
        }
        if *keep == 0 {
            return refused("keep", keep.to_string(), "the newest version is always kept; use 1 or more");
        }
        let store = Self { root: Path::new(path).into(), keep: *keep, admit: *admit };
        for folder in [store.versions_dir(), store.channels_dir(), store.drafts_dir()] {
            std::fs::create_dir_all(&folder).map_err(failed("making the folder", &folder))?;
        }
        Ok(store)
    }

    /// The store's directory.
    pub fn path(&self) -> &Path {
        &self.root
    }

    fn versions_dir(&self) -> PathBuf {
        self.root.join("versions")
    }

    fn models_dir(&self) -> PathBuf {
        self.root.join("models")
    }

    fn channels_dir(&self) -> PathBuf {
        self.root.join("channels")
    }

    fn drafts_dir(&self) -> PathBuf {
        self.root.join("drafts")
    }

    fn lock_path(&self) -> PathBuf {
        self.root.join("lock")
    }
}
