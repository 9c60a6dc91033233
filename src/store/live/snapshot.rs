//! What a channel answers from: its table, and what it never predicts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::{Mapping, Store, StoreError};
use super::{LiveConfig, load};
use crate::ids::{ClusterId, VersionId};
use crate::lookup::{self, Answer, ClusterSet, DEFAULT_MAX_HISTORY, LookupError, Query, Rules, Scratch};
use crate::table::Table;

/// What one channel answers from.
#[derive(Debug)]
pub struct Snapshot {
    /// The channel.
    pub channel: String,
    /// The version of `table`.
    pub version: VersionId,
    /// Shared by all channels at this version. A clone kept for long keeps the table from being retired.
    pub table: Arc<Table<Mapping>>,
    /// Clusters never to be predicted, as lookups want them.
    pub blocklist: ClusterSet,
    /// The same as ids, those that the table lacks included.
    pub blocked: BTreeSet<ClusterId>,
}

impl Snapshot {
    pub(super) fn new(
        channel: &str,
        version: VersionId,
        table: Arc<Table<Mapping>>,
        blocked: BTreeSet<ClusterId>,
    ) -> Self {
        let blocklist = ClusterSet::of(blocked.iter().filter_map(|&cluster| table.index_of(cluster)));
        Self { channel: channel.to_owned(), version, table, blocklist, blocked }
    }

    /// Answers one question as a server with the default limits would. Keep one scratch for each thread.
    pub fn lookup<'s>(&self, query: Query<'_>, scratch: &'s mut Scratch) -> Result<Answer<'s>, LookupError> {
        let rules = Rules { blocklist: &self.blocklist, max_history: DEFAULT_MAX_HISTORY };
        lookup::lookup(&self.table, rules, query, scratch)
    }
}

impl Store {
    /// Opens a version in this process: copied to where no path leads, proven, mapped and read in. Whatever becomes of
    /// the store, the table stays as it is; dropping it gives its memory and its copy back.
    ///
    /// It takes as long as copying the table and reading it once, and room for the copy in the store.
    pub fn load(&self, version: VersionId) -> Result<Table<Mapping>, StoreError> {
        load::load(self, version, &self.drafts_dir(), LiveConfig::default().residence)
    }

    /// Opens a channel as it stands now, in this process. What is published later does not reach it: for that, there is
    /// [`Watcher`](super::Watcher).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/served.rs"));
    /// use segue::lookup::{Query, Scratch};
    /// use segue::store::{Config, Store};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let path = "segue-store".to_owned();
    /// # let path = store(dir.path())?.path().display().to_string();
    /// let store = Store::open(&Config { path, ..Config::default() })?;
    /// let main = store.snapshot("main")?;
    ///
    /// let mut scratch = Scratch::default();
    /// let answer = main.lookup(Query { history: &[3, 0], limit: 2, exclude: &[] }, &mut scratch)?;
    /// let clusters: Vec<u32> = answer.predictions.iter().map(|prediction| prediction.cluster.0).collect();
    /// assert_eq!(clusters, [25, 10]);
    /// # Ok(()) }
    /// ```
    pub fn snapshot(&self, channel: &str) -> Result<Snapshot, StoreError> {
        let found = self.channel(channel)?.ok_or_else(|| StoreError::NoChannel { name: channel.to_owned() })?;
        self.admit(found.version)?;
        let table = Arc::new(self.load(found.version)?);
        Ok(Snapshot::new(channel, found.version, table, found.blocklist))
    }
}
