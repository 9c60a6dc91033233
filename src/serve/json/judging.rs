//! Judgements and explanations as JSON.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::ClusterId;
use crate::serve::admin;
use crate::store::{self, State};
use crate::table::Candidate;

/// Whether a version may go live, who said so, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Judgement {
    /// The state from here on.
    #[schema(value_type = String, example = "approved")]
    state: State,
    /// Who judged.
    who: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: DateTime<Utc>,
    /// Why.
    why: String,
    /// What the gates found, where gates judged.
    findings: Vec<Finding>,
    /// The figures that they judged by; null where there are none.
    #[schema(value_type = Object)]
    report: serde_json::Value,
}

/// What one gate found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Finding {
    /// The gate.
    gate: String,
    /// `pass`, `warn`, `fail`, or `skip` where nothing could be measured.
    outcome: String,
    /// The figure, the threshold, and what to do.
    says: String,
}

impl From<store::Judgement> for Judgement {
    fn from(judgement: store::Judgement) -> Self {
        let finding = |store::Finding { gate, outcome, says }: store::Finding| Finding { gate, outcome, says };
        let findings = judgement.findings.into_iter().map(finding).collect();
        let store::Judgement { state, who, at, why, report, .. } = judgement;
        Self { state, who, at, why, findings, report }
    }
}

/// Who approves or rejects a version, and why; the reason must be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"who": "ada", "why": "the drop in recall is the holiday's"}))]
pub(in crate::serve) struct JudgeRequest {
    /// Who judges; kept.
    #[serde(default)]
    pub(in crate::serve) who: String,
    /// Why; kept.
    pub(in crate::serve) why: String,
}

/// Asks why a history is answered as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"history": [3, 0]}))]
pub(in crate::serve) struct ExplainRequest {
    /// Cluster ids, oldest first. What is explained is the key that a lookup would find first.
    pub(in crate::serve) history: Vec<u32>,
    /// 0 means the version that the channel points at.
    #[serde(default)]
    pub(in crate::serve) version: u64,
    /// Empty means the server's default.
    #[serde(default)]
    pub(in crate::serve) channel: String,
}

/// Why one key's row is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Explanation {
    /// The version explained.
    version: u64,
    /// The key, oldest first: the latest distinct clusters of the history, or fewer where those were never seen.
    key: Vec<u32>,
    /// How often the key was followed by anything in the window.
    seen: u64,
    /// What followed it, the most frequent first; at most 100.
    successors: Vec<Successor>,
    /// What was retrieved: shown to the language model or, without one, the predictions themselves.
    retrieved: Vec<u32>,
    /// The rendered prompt, where a language model was asked.
    prompt: Option<String>,
    /// What it said.
    answer: Option<String>,
    /// How that was understood.
    parsed: Option<String>,
    /// The row that the table holds, best first; empty where the key was left to shorter ones.
    row: Vec<Predicted>,
}

/// A cluster that followed a key.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Successor {
    /// The cluster.
    cluster: u32,
    /// How often.
    count: u64,
}

/// One prediction of a row.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct Predicted {
    /// The cluster.
    cluster: u32,
    /// How much its source believes in it, 0 to 1.
    score: f32,
    /// `llm` or `retrieved`.
    source: &'static str,
}

impl From<admin::Explained> for Explanation {
    fn from(explained: admin::Explained) -> Self {
        let admin::Explained { version, explanation: why } = explained;
        let ids = |clusters: Vec<ClusterId>| clusters.into_iter().map(|cluster| cluster.0).collect();
        let successor = |one: store::Successor| Successor { cluster: one.cluster.0, count: one.count };
        let predicted =
            |one: Candidate| Predicted { cluster: one.cluster.0, score: one.score.into(), source: one.source.name() };
        Self {
            version: version.0,
            key: ids(why.key),
            seen: why.seen,
            successors: why.successors.into_iter().map(successor).collect(),
            retrieved: ids(why.retrieved),
            prompt: why.prompt,
            answer: why.answer,
            parsed: why.parsed,
            row: why.row.into_iter().map(predicted).collect(),
        }
    }
}
