//! A process that serves from a store, without the network.

use std::time::{Duration, Instant};

use segue::ids::VersionId;
use segue::lookup::{Query, Rules, Scratch, lookup};
use segue::store::live::{Live, LiveConfig, ReloadReport, Snapshot, Watcher};
use segue::store::{Note, Store, TaxonomyChange};

use crate::Outcome;

const CHANNEL: &str = "main";

/// A table is live in it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) live: Live,
    watcher: Watcher,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(crate) fn start(store: &Store) -> Outcome<Self> {
        let config = LiveConfig { poll: Duration::from_secs(3600), ..LiveConfig::default() };
        let (watcher, live) = Watcher::start(store.clone(), config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let world = Self { store: store.clone(), live, watcher, runtime };
        world.swap_in(VersionId(2))?;
        Ok(world)
    }

    pub(crate) fn table_bytes(&self) -> Outcome<u64> {
        Ok(self.store.manifest(VersionId(1))?.table_bytes)
    }

    /// From the move of the channel to the table's answering.
    pub(crate) fn swap_in(&self, version: VersionId) -> Outcome<Duration> {
        self.store.publish(CHANNEL, version, &Note::default(), TaxonomyChange::Refused)?;
        let began = Instant::now();
        let ReloadReport { refused } = self.runtime.block_on(self.watcher.reloader().reload());
        if refused.is_empty() { Ok(began.elapsed()) } else { Err(refused.join("; ").into()) }
    }

    /// Swaps the `n`-th time: every swap is to the other version.
    pub(crate) fn swap(&self, n: u64) -> Outcome<Duration> {
        self.swap_in(VersionId(1 + n % 2))
    }
}

/// Asks for pairs at random, one after the other, for as long as it is kept.
#[derive(Default)]
pub(crate) struct Reader {
    state: u64,
    scratch: Scratch,
}

impl Reader {
    /// Whether there was an answer.
    pub(crate) fn look_up(&mut self, live: &Live) -> bool {
        let channels = live.load();
        channels.get(CHANNEL).is_some_and(|snapshot| self.ask(snapshot))
    }

    fn ask(&mut self, snapshot: &Snapshot) -> bool {
        let clusters = snapshot.table.taxonomy().clusters().len() as u64;
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let first = ((self.state >> 48) * clusters) >> 16;
        let second = (first + 1 + ((((self.state >> 32) & 0xffff) * (clusters - 1)) >> 16)) % clusters;
        let history = [first as u32, second as u32];
        let rules = Rules { blocklist: &snapshot.blocklist, max_history: 2 };
        let query = Query { history: &history, limit: 1, exclude: &[] };
        lookup(&snapshot.table, rules, query, &mut self.scratch).is_ok_and(|answer| answer.predictions.len() == 1)
    }
}
