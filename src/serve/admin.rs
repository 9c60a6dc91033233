//! What operators do, whatever the protocol. File work runs apart from the lookups' threads.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::error::ServeError;
use super::experiments::LiveExperiments;
use super::refresh::{RefreshAction, RefreshControl};
use super::server::Backend;
use crate::ids::{ClusterId, VersionId};
use crate::store::live::{Live, Reloader};
use crate::store::{Channel, Explanation, Judgement, Manifest, Note, State, Store, StoreError, TaxonomyChange};

/// Versions listed where no limit is given, and the most that are.
const LISTED: (usize, usize) = (100, 1000);

/// Moves of a channel that are shown.
const MOVES: usize = 100;

/// The operations of one server.
pub(super) struct Admin {
    store: Store,
    live: Live,
    reloader: Reloader,
    pub(super) experiments: LiveExperiments,
    refresh: Option<RefreshControl>,
    channel: String,
}

/// A version, the channels that point at it, and its judgements, oldest first.
pub(super) struct Version {
    pub(super) manifest: Manifest,
    pub(super) channels: Vec<String>,
    pub(super) judgements: Vec<Judgement>,
}

impl Version {
    /// What the last judgement says.
    pub(super) fn state(&self) -> State {
        self.judgements.last().map_or(State::Unjudged, |judgement| judgement.state)
    }
}

/// Why a version predicts what it predicts.
pub(super) struct Explained {
    pub(super) version: VersionId,
    pub(super) explanation: Explanation,
}

/// What a reload led to.
pub(super) struct Reloaded {
    pub(super) channels: Vec<Channel>,
    pub(super) refused: Vec<String>,
}

impl Admin {
    pub(super) fn new(backend: &Backend, config: &Config) -> Self {
        Self {
            store: backend.store.clone(),
            live: backend.live.clone(),
            reloader: backend.reloader.clone(),
            experiments: backend.experiments.clone(),
            refresh: backend.refresh.clone(),
            channel: config.channel.clone(),
        }
    }

    /// Versions below `before` (0: from the newest), newest first, at most `limit` (0: a hundred).
    pub(super) async fn versions(&self, limit: u32, before: u64) -> Result<Vec<Version>, ServeError> {
        let limit = if limit == 0 { LISTED.0 } else { (limit as usize).min(LISTED.1) };
        self.blocking(move |store| {
            let channels = store.channels_by_version()?;
            let listed = store.versions()?.into_iter().filter(|version| before == 0 || version.0 < before);
            let described = listed.take(limit).map(|version| describe(store, version, &channels));
            // What gc removes while we list is left out.
            let kept = described.filter(|version| !matches!(version, Err(StoreError::NoVersion { .. })));
            kept.collect()
        })
        .await
    }

    pub(super) async fn version(&self, version: VersionId) -> Result<Version, ServeError> {
        self.blocking(move |store| describe(store, version, &store.channels_by_version()?)).await
    }

    pub(super) async fn channels(&self) -> Result<Vec<Channel>, ServeError> {
        self.blocking(|store| store.channels()?.iter().map(|name| channel(store, name)).collect()).await
    }

    pub(super) async fn channel(&self, name: &str) -> Result<Channel, ServeError> {
        let name = self.named(name);
        self.blocking(move |store| channel(store, &name)).await
    }

    pub(super) async fn publish(
        &self,
        name: &str,
        version: VersionId,
        note: Note,
        change: TaxonomyChange,
    ) -> Result<Channel, ServeError> {
        self.moved(name, move |store, name| store.publish(name, version, &note, change)).await
    }

    /// Back to `to`, or to where the channel was before.
    pub(super) async fn rollback(&self, name: &str, to: Option<VersionId>, note: Note) -> Result<Channel, ServeError> {
        self.moved(name, move |store, name| store.rollback(name, to, &note)).await
    }

    pub(super) async fn approve(&self, version: VersionId, note: Note) -> Result<Version, ServeError> {
        self.blocking(move |store| store.approve(version, &note)).await?;
        // Channels may point at it already, and have waited.
        self.reloader.reload().await;
        self.version(version).await
    }

    pub(super) async fn reject(&self, version: VersionId, note: Note) -> Result<Version, ServeError> {
        self.blocking(move |store| store.reject(version, &note)).await?;
        self.version(version).await
    }

    /// Why `history` is answered as it is by `version`, or by what the channel points at.
    pub(super) async fn explain(
        &self,
        version: Option<VersionId>,
        name: &str,
        history: Vec<ClusterId>,
    ) -> Result<Explained, ServeError> {
        let name = self.named(name);
        let (version, found) = self
            .blocking(move |store| {
                let version = version.map_or_else(|| Ok(channel(store, &name)?.version), Ok)?;
                Ok((version, store.explain(version, &history)?))
            })
            .await?;
        let explanation = found.ok_or(ServeError::NeverSeen { version })?;
        Ok(Explained { version, explanation })
    }

    pub(super) async fn set_blocklist(
        &self,
        name: &str,
        clusters: BTreeSet<ClusterId>,
        note: Note,
    ) -> Result<Channel, ServeError> {
        self.check_clusters(&self.named(name), &clusters)?;
        self.moved(name, move |store, name| store.set_blocklist(name, clusters, &note)).await
    }

    /// Looks at the store now; ends when what was found is live or refused.
    pub(super) async fn reload(&self) -> Result<Reloaded, ServeError> {
        let mut refused = self.reloader.reload().await.refused;
        refused.extend(self.experiments.reload().await);
        let live: Vec<_> = self.live.load().iter().map(|live| (live.channel.clone(), live.version)).collect();
        let answered = move |store: &Store| {
            let shown = live.into_iter().map(|(name, version)| Ok(Channel { version, ..channel(store, &name)? }));
            shown.collect()
        };
        Ok(Reloaded { channels: self.blocking(answered).await?, refused })
    }

    pub(super) async fn refresh(&self, action: RefreshAction, note: Note) -> Result<String, ServeError> {
        self.refresher()?.ask(action, note).await
    }

    pub(super) fn refresher(&self) -> Result<&RefreshControl, ServeError> {
        self.refresh.as_ref().ok_or(ServeError::NoRefresher)
    }

    /// Moves a channel and waits until this server answers as it now should, so that the answer is true.
    async fn moved<F>(&self, name: &str, work: F) -> Result<Channel, ServeError>
    where
        F: FnOnce(&Store, &str) -> Result<Channel, StoreError> + Send + 'static,
    {
        let name = self.named(name);
        let moved = self.blocking({
            let name = name.clone();
            move |store| work(store, &name).map(shown)
        });
        let moved = moved.await?;
        let report = self.reloader.reload().await;
        if self.answers_as(&moved) {
            return Ok(moved);
        }
        // Someone else may have moved it on in between; only what the store says now has to be live.
        let now = self.channel(&name).await?;
        if self.answers_as(&now) {
            return Ok(now);
        }
        Err(ServeError::NotLive { channel: name, version: now.version, why: report.refused.join("; ") })
    }

    fn answers_as(&self, channel: &Channel) -> bool {
        let live = self.live.load();
        let snapshot = live.get(&channel.name);
        snapshot.is_some_and(|live| live.version == channel.version && live.blocked == channel.blocklist)
    }

    /// A cluster that the live table does not know is a slip of the pen; without a table nothing can be told.
    fn check_clusters(&self, name: &str, clusters: &BTreeSet<ClusterId>) -> Result<(), ServeError> {
        let live = self.live.load();
        let Some(snapshot) = live.get(name) else { return Ok(()) };
        let unknown = clusters.iter().find(|&&cluster| snapshot.table.index_of(cluster).is_none());
        unknown.map_or(Ok(()), |&cluster| Err(ServeError::UnknownCluster { cluster, version: snapshot.version }))
    }

    pub(super) fn named(&self, name: &str) -> String {
        if name.is_empty() { self.channel.clone() } else { name.to_owned() }
    }

    async fn blocking<T, F>(&self, work: F) -> Result<T, ServeError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(|_| ServeError::Aborted)?.map_err(ServeError::from)
    }
}

fn channel(store: &Store, name: &str) -> Result<Channel, StoreError> {
    let found = store.channel(name)?.ok_or_else(|| StoreError::NoChannel { name: name.into() })?;
    Ok(shown(found))
}

fn shown(mut channel: Channel) -> Channel {
    channel.moves.truncate(MOVES);
    channel
}

fn describe(
    store: &Store,
    version: VersionId,
    channels: &BTreeMap<VersionId, Vec<String>>,
) -> Result<Version, StoreError> {
    let channels = channels.get(&version).cloned().unwrap_or_default();
    Ok(Version { manifest: store.manifest(version)?, channels, judgements: store.judgements(version)? })
}
