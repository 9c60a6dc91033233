//! Loading tables: one at a time, on a thread of its own, so that a blocklist never waits for a table.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::super::error::failed;
use super::super::{Mapping, Store, StoreError};
use super::Residence;
use super::metrics::{REFUSED, SWAP_SECONDS};
use crate::ids::VersionId;
use crate::table::Table;

/// The first pause after a refusal; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What became of a version that was asked for.
#[derive(Debug)]
pub(super) struct Loaded {
    version: VersionId,
    /// An error says why.
    result: Result<Table<Mapping>, String>,
}

/// What is being loaded, and what could not be.
pub(super) struct Loads {
    requests: Sender<VersionId>,
    under_way: Option<Instant>,
    refusals: BTreeMap<VersionId, Refusal>,
}

struct Refusal {
    reason: String,
    times: u32,
    again: Instant,
}

impl Loads {
    /// Starts the loading thread, which ends with this. It hands what it loaded to `deliver`, until that declines.
    pub(super) fn start(
        store: Store,
        cache: PathBuf,
        residence: Residence,
        deliver: impl Fn(Loaded) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (requests, requested) = mpsc::channel();
        let run = move || {
            let admitted = |version| store.admit(version).and_then(|()| load(&store, version, &cache, residence));
            // A defect costs this version, not all that are to come.
            let caught = |version| match catch_unwind(AssertUnwindSafe(|| admitted(version))) {
                Ok(loaded) => loaded.map_err(|error| error.to_string()),
                Err(_) => Err("loading it met a defect; the log says where".into()),
            };
            let mut loaded = requested.iter().map(|version| Loaded { version, result: caught(version) });
            while loaded.next().is_some_and(&deliver) {}
        };
        thread::Builder::new().name("segue-load".into()).spawn(run)?;
        Ok(Self { requests, under_way: None, refusals: BTreeMap::new() })
    }

    /// Begins with the first of `wanted` that may be tried now, if nothing is under way.
    pub(super) fn request(&mut self, wanted: &[VersionId]) {
        self.refusals.retain(|version, _| wanted.contains(version));
        let now = Instant::now();
        let may = |version: &&VersionId| self.refusals.get(version).is_none_or(|refusal| refusal.again <= now);
        if let (None, Some(version)) = (self.under_way, wanted.iter().find(may)) {
            // A send fails only while everything is being stopped.
            self.under_way = self.requests.send(*version).is_ok().then_some(now);
        }
    }

    /// Takes what was loaded; what was refused is told once, and tried again later.
    pub(super) fn take(&mut self, loaded: Loaded) -> Option<(VersionId, Table<Mapping>)> {
        let Loaded { version, result } = loaded;
        let began = self.under_way.take();
        match result {
            Ok(table) => {
                self.refusals.remove(&version);
                let seconds = began.map_or(0.0, |began| began.elapsed().as_secs_f64());
                metrics::histogram!(SWAP_SECONDS).record(seconds);
                Some((version, table))
            }
            Err(reason) => {
                self.refuse(version, reason);
                None
            }
        }
    }

    /// Whether nothing is being loaded.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_none()
    }

    /// Lets every refused version be tried at once.
    pub(super) fn forgive(&mut self) {
        self.refusals.values_mut().for_each(|refusal| refusal.again = Instant::now());
    }

    /// What is wanted, and why it cannot be had.
    pub(super) fn refusals(&self) -> impl Iterator<Item = String> {
        self.refusals.iter().map(|(version, refusal)| format!("{version}: {}", refusal.reason))
    }

    fn refuse(&mut self, version: VersionId, reason: String) {
        metrics::counter!(REFUSED).increment(1);
        let before = self.refusals.remove(&version);
        if before.as_ref().is_none_or(|before| before.reason != reason) {
            tracing::error!(%version, reason, "the version is refused; what is live stays");
        }
        let times = before.map_or(0, |before| before.times);
        let pause = FIRST_PAUSE.saturating_mul(1 << times.min(16)).min(LONGEST_PAUSE);
        let refusal = Refusal { reason, times: times.saturating_add(1), again: Instant::now() + pause };
        self.refusals.insert(version, refusal);
    }
}

/// Copies, maps, and verifies what is mapped, which reads all of it into memory. The descriptor is closed by then, so
/// nothing but the map leads to the bytes.
pub(super) fn load(
    store: &Store,
    version: VersionId,
    cache: &Path,
    residence: Residence,
) -> Result<Table<Mapping>, StoreError> {
    let table = store.proven_copy(version, cache)?;
    if residence == Residence::Locked {
        table.bytes().lock().map_err(failed("locking a private copy in", cache))?;
    }
    Ok(table)
}
