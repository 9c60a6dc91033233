//! Lookups as JSON.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ids::VersionId;
use crate::lookup::Query;
use crate::serve::lookups::{Question, Reply};
use crate::table::{self, Table};

/// A user's history, and what is wanted of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"history": [3, 0], "limit": 2}))]
pub(in crate::serve) struct LookupRequest {
    /// The user's interest clusters, oldest first. Ids that the table does not know are dropped.
    #[serde(default)]
    history: Vec<u32>,
    /// How many predictions, at most the table's width. 0 means 1.
    #[serde(default)]
    limit: u32,
    /// Clusters never to be predicted, beside those of the history.
    #[serde(default)]
    exclude: Vec<u32>,
    /// The named pointer to a version to answer from. Empty means the server's default.
    #[serde(default)]
    channel: String,
    /// The experiment unit, normally the user. Empty means none.
    #[serde(default)]
    unit: String,
}

impl LookupRequest {
    pub(in crate::serve) fn question(&self) -> Question<'_> {
        let query = Query { history: &self.history, limit: self.limit, exclude: &self.exclude };
        Question { query, channel: &self.channel, unit: &self.unit }
    }
}

/// Predicted next interests, wholly from one version.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "predictions": [
        {"cluster": 10, "score": 0.25, "source": "retrieved", "level": 2},
        {"cluster": 7, "score": 0.125, "source": "popular", "level": 0},
    ],
    "version": 12,
    "matched": 2,
    "experiment": "",
    "arm": "",
}))]
pub(in crate::serve) struct LookupResponse {
    /// Best first; fewer than the limit only where the whole chain has no more.
    predictions: Vec<Prediction>,
    /// The version that answered, wholly.
    version: u64,
    /// The length of the longest key found: k for the full history, 0 for popular only.
    matched: u32,
    /// The experiment that took over the channel; empty where none did.
    experiment: String,
    /// The arm the unit is in; empty where no experiment took over.
    arm: String,
}

/// One predicted next interest.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct Prediction {
    /// The predicted cluster.
    cluster: u32,
    /// 0 to 1: the model's probability, the successor's share of its key's count, or the cluster's share of sequences.
    /// Scores of different sources do not compare.
    score: f32,
    /// Where the prediction comes from.
    source: Source,
    /// The key length that gave it: k down to 1, and 0 for popular.
    level: u32,
}

/// Where a prediction comes from.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::serve) enum Source {
    /// A language model's answer.
    Llm,
    /// A successor counted in the logs.
    Retrieved,
    /// A cluster popular with everyone.
    Popular,
}

impl LookupResponse {
    pub(in crate::serve) fn of(Reply { version, answer, assigned }: Reply<'_>) -> Self {
        let predictions = answer.predictions.iter().map(|prediction| Prediction {
            cluster: prediction.cluster.0,
            score: prediction.score.into(),
            source: prediction.source.into(),
            level: prediction.level,
        });
        Self {
            predictions: predictions.collect(),
            version: version.0,
            matched: answer.matched,
            experiment: assigned.map_or_else(String::new, |assigned| assigned.experiment.into()),
            arm: assigned.map_or_else(String::new, |assigned| assigned.arm.into()),
        }
    }
}

impl From<table::Source> for Source {
    fn from(source: table::Source) -> Self {
        match source {
            table::Source::Llm => Source::Llm,
            table::Source::Retrieved => Source::Retrieved,
            table::Source::Popular => Source::Popular,
        }
    }
}

/// Many histories, answered in order. One invalid lookup fails the call and is named by its index.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"lookups": [{"history": [3, 0]}, {"history": [], "limit": 3}]}))]
pub(in crate::serve) struct BatchLookupRequest {
    /// The questions.
    pub(in crate::serve) lookups: Vec<LookupRequest>,
}

/// One answer for each lookup, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct BatchLookupResponse {
    /// The answers.
    pub(in crate::serve) results: Vec<LookupResponse>,
}

/// Whose clusters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct ClustersQuery {
    /// The named pointer to a version. Empty means the server's default.
    #[serde(default)]
    #[param(required = false)]
    pub(in crate::serve) channel: String,
}

/// The clusters that a version speaks of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "version": 12,
    "taxonomy_hash": "99aa06d3014798d86001c324468d497f",
    "clusters": [{"id": 3, "description": "jazz, piano"}],
}))]
pub(in crate::serve) struct ClustersResponse<'t> {
    /// The version.
    version: u64,
    /// Names the whole list by content, in 32 hexadecimal digits.
    taxonomy_hash: String,
    /// Ascending by id.
    clusters: Vec<Cluster<'t>>,
}

/// One interest cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Cluster<'t> {
    /// The id that lookups speak in.
    id: u32,
    /// Its keywords, joined by `, `.
    description: &'t str,
}

impl<'t> ClustersResponse<'t> {
    pub(in crate::serve) fn of<B: AsRef<[u8]>>(version: VersionId, table: &'t Table<B>) -> Self {
        let taxonomy = table.taxonomy();
        let clusters =
            taxonomy.clusters().iter().map(|cluster| Cluster { id: cluster.id.0, description: &cluster.description });
        Self { version: version.0, taxonomy_hash: taxonomy.hash().to_string(), clusters: clusters.collect() }
    }
}
