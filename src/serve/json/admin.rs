//! Operations as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Judgement;
use crate::serve::admin;
use crate::store::{self, Action, State};

/// Which versions to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct ListVersionsQuery {
    /// At most this many, newest first. 0 means 100; at most 1000 are listed.
    #[param(required = false)]
    pub(in crate::serve) limit: u32,
    /// Only versions below this one, to read on. 0 means from the newest.
    #[param(required = false)]
    pub(in crate::serve) before: u64,
}

/// Versions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct ListVersionsResponse {
    /// The versions.
    pub(in crate::serve) versions: Vec<Version>,
}

/// A version of the table.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Version {
    /// The version's number.
    version: u64,
    /// When it was added to the store.
    #[schema(value_type = String, format = DateTime)]
    created: DateTime<Utc>,
    /// Who or what made it.
    creator: String,
    /// Why.
    reason: String,
    /// The version that was live when it was made.
    parent: Option<u64>,
    /// The clusters it speaks of, by hash.
    taxonomy_hash: String,
    /// The table's checksum, in 16 hexadecimal digits.
    checksum: String,
    /// The table file's length.
    table_bytes: u64,
    /// The longest key's length.
    k: usize,
    /// The row's width, and so the highest limit of a lookup.
    width: usize,
    /// Keys by length, of one cluster first.
    keys: Vec<u64>,
    /// Channels that point at it now.
    channels: Vec<String>,
    /// Where the table comes from.
    #[schema(value_type = Object)]
    lineage: crate::table::Lineage,
    /// `unjudged`, `passed`, `held`, `approved` or `rejected`: what the last judgement says.
    #[schema(value_type = String, example = "passed")]
    state: State,
    /// Every judgement, oldest first.
    judgements: Vec<Judgement>,
}

impl From<admin::Version> for Version {
    fn from(version: admin::Version) -> Self {
        let state = version.state();
        let admin::Version { manifest, channels, judgements } = version;
        Self {
            version: manifest.version.0,
            created: manifest.created,
            creator: manifest.creator,
            reason: manifest.reason,
            parent: manifest.parent.map(|parent| parent.0),
            taxonomy_hash: manifest.taxonomy_hash.to_string(),
            checksum: manifest.checksum,
            table_bytes: manifest.table_bytes,
            k: manifest.k,
            width: manifest.width,
            keys: manifest.keys,
            channels,
            lineage: manifest.lineage,
            state,
            judgements: judgements.into_iter().map(Judgement::from).collect(),
        }
    }
}

/// Channels by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct ListChannelsResponse {
    /// The channels.
    pub(in crate::serve) channels: Vec<Channel>,
}

/// A named pointer to a version.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Channel {
    /// Its name.
    name: String,
    /// What it points at.
    version: u64,
    /// Clusters that it never predicts, ascending.
    blocklist: Vec<u32>,
    /// Its changes, the newest first, at most 100.
    moves: Vec<Move>,
}

/// One change of a channel. Every one is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Move {
    /// Its number within the channel.
    seq: u64,
    /// What was done.
    #[schema(value_type = String, example = "publish")]
    action: Action,
    /// Where the channel pointed from then on.
    version: u64,
    /// Who did it.
    who: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// Why.
    why: String,
}

impl From<store::Channel> for Channel {
    fn from(channel: store::Channel) -> Self {
        Self {
            name: channel.name,
            version: channel.version.0,
            blocklist: channel.blocklist.into_iter().map(|cluster| cluster.0).collect(),
            moves: channel.moves.into_iter().map(Move::from).collect(),
        }
    }
}

impl From<store::Move> for Move {
    fn from(one: store::Move) -> Self {
        Self { seq: one.seq, action: one.action, version: one.version.0, who: one.who, at: one.at, why: one.why }
    }
}

/// Points a channel at a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 12, "who": "ada", "why": "fresher"}))]
pub(in crate::serve) struct PublishRequest {
    /// The version.
    pub(in crate::serve) version: u64,
    /// Lets a table of another taxonomy through.
    #[serde(default)]
    pub(in crate::serve) allow_taxonomy_change: bool,
    /// Who asks; kept.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why; kept.
    #[serde(default)]
    pub(in crate::serve) why: String,
}

/// Points a channel back at a version it pointed to before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"who": "ada", "why": "the new one is worse"}))]
pub(in crate::serve) struct RollbackRequest {
    /// 0 means the version before the current one.
    #[serde(default)]
    pub(in crate::serve) version: u64,
    /// Who asks; kept.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why; kept.
    #[serde(default)]
    pub(in crate::serve) why: String,
}

/// Replaces a channel's blocklist.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"clusters": [7], "who": "ada", "why": "seasonal"}))]
pub(in crate::serve) struct SetBlocklistRequest {
    /// The whole new list; empty clears it.
    pub(in crate::serve) clusters: Vec<u32>,
    /// Who asks; kept.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why; kept.
    #[serde(default)]
    pub(in crate::serve) why: String,
}

/// Nothing to say: `{}`. The content type keeps web pages of other origins out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub(in crate::serve) struct ReloadRequest {}

/// What a reload led to.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct ReloadResponse {
    /// What each channel answers from now.
    pub(in crate::serve) channels: Vec<Channel>,
    /// What was found and refused, and why; the version before stays live.
    pub(in crate::serve) refused: Vec<String>,
}
