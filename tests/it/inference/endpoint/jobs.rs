//! Fine-tuning jobs by the published API. A job is looked at as often as the server is told before it ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Inner, error, trouble};

/// How jobs fare.
#[derive(Clone, Copy)]
pub(crate) struct Fate {
    /// How often a job is looked at before it ends.
    pub(crate) looks: usize,
    /// What it is called while it learns.
    pub(crate) running: &'static str,
    /// As what it ends: `succeeded`, `failed` or `cancelled`.
    pub(crate) ends: &'static str,
    /// The first one's answer gets lost: it is made, and the client is told of a failure.
    pub(crate) lost: bool,
}

impl Default for Fate {
    fn default() -> Self {
        Self { looks: 4, running: "running", ends: "succeeded", lost: false }
    }
}

#[derive(Clone)]
pub(super) struct Job {
    order: Value,
    looks: usize,
    cancelled: bool,
}

pub(super) type Made = BTreeMap<String, Job>;

/// What is wrong with an order by the API.
fn fault(order: &Value, files: &BTreeMap<String, String>) -> Option<String> {
    let known = ["model", "training_file", "validation_file", "seed", "method", "suffix"];
    let fields = order.as_object()?;
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Some(format!("Unrecognized request argument supplied: {unknown}"));
    }
    for name in ["training_file", "validation_file"] {
        let Some(content) = order[name].as_str().and_then(|id| files.get(id)) else {
            return Some(format!("invalid {name}: no such file"));
        };
        let chat = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let turns = line["messages"].as_array()?;
            (line.as_object()?.len() == 1 && turns.last()?["role"] == "assistant").then_some(())
        };
        if content.lines().count() < 10 && name == "training_file" {
            return Some(format!(
                "Training file has {} example(s), but must have at least 10",
                content.lines().count()
            ));
        }
        if !content.lines().all(|line| chat(line).is_some()) {
            return Some(format!("invalid {name}: a line is no chat"));
        }
    }
    let parameters = &order["method"]["supervised"]["hyperparameters"];
    let fine = order["model"].is_string()
        && order["seed"].is_u64()
        && order["method"]["type"] == "supervised"
        && parameters["n_epochs"].as_u64().is_some_and(|epochs| (1..=50).contains(&epochs));
    (!fine).then(|| "invalid model, seed or method".to_owned())
}

impl Job {
    /// How far it is by now.
    fn status(&self, fate: Fate) -> &'static str {
        match self.looks {
            _ if self.cancelled => "cancelled",
            0 => "validating_files",
            1 => "queued",
            looks if looks < fate.looks => fate.running,
            _ => fate.ends,
        }
    }

    fn told(&self, id: &str, fate: Fate) -> Value {
        let status = self.status(fate);
        let ended = ["succeeded", "failed", "cancelled"].contains(&status);
        let failure =
            json!({ "code": "invalid_training_file", "message": "too many bad lines", "param": "training_file" });
        json!({
            "object": "fine_tuning.job", "id": id, "model": self.order["model"], "created_at": 1_767_225_600,
            "finished_at": ended.then_some(1_767_229_200), "status": status, "organization_id": "org-1",
            "fine_tuned_model": (status == "succeeded").then(|| format!("ft:base:org::{id}")),
            "trained_tokens": (status == "succeeded").then_some(1_000_000), "result_files": [],
            "training_file": self.order["training_file"], "validation_file": self.order["validation_file"],
            "error": if status == "failed" { failure } else { Value::Null },
            "hyperparameters": { "n_epochs": 3 }, "method": self.order["method"], "metadata": null,
            "seed": self.order["seed"], "estimated_finish": null, "integrations": [], "user_provided_suffix": null,
        })
    }

    /// Its events so far, the newest first.
    fn events(&self, fate: Fate) -> Vec<Value> {
        let event = |number: usize, kind: &str, message: String, data: Value| {
            json!({
                "object": "fine_tuning.job.event", "id": format!("ftevent-{number}"),
                "created_at": 1_767_225_600 + number, "level": "info", "message": message, "type": kind, "data": data,
            })
        };
        let step = |step: usize| {
            let data = json!({
                "step": step, "train_loss": 1.0 / step as f64, "total_steps": fate.looks,
                "train_mean_token_accuracy": 0.5,
            });
            event(step, "metrics", format!("Step {step}/{}: training loss=0.50", fate.looks), data)
        };
        let first = event(0, "message", "Created fine-tuning job".into(), Value::Null);
        let mut events: Vec<_> = std::iter::once(first).chain((1..self.looks.min(fate.looks)).map(step)).collect();
        events.reverse();
        events
    }
}

pub(super) async fn create(State(inner): State<Arc<Inner>>, headers: HeaderMap, Json(order): Json<Value>) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    let mut seen = inner.seen.lock().unwrap();
    if let Some(fault) = fault(&order, &seen.files) {
        return error(400, "invalid_value", &fault);
    }
    let id = format!("ftjob-{}", seen.jobs.len());
    let job = Job { order, looks: 0, cancelled: false };
    let told = job.told(&id, inner.fate);
    seen.jobs.insert(id, job);
    if inner.fate.lost && seen.jobs.len() == 1 {
        error(500, "server_error", "lost")
    } else {
        Json(told).into_response()
    }
}

/// A page of what is listed, the newest first.
pub(super) fn page(all: Vec<Value>, query: &BTreeMap<String, String>) -> Response {
    // Smaller pages than asked for, as a server may.
    let limit = query.get("limit").map_or(20, |limit| limit.parse().unwrap()).min(2);
    let from = match query.get("after") {
        Some(after) => all.iter().position(|one| one["id"] == after.as_str()).map_or(all.len(), |at| at + 1),
        None => 0,
    };
    let data: Vec<_> = all.iter().skip(from).take(limit).cloned().collect();
    let has_more = from + data.len() < all.len();
    Json(json!({ "object": "list", "data": data, "has_more": has_more })).into_response()
}

pub(super) async fn list(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    let seen = inner.seen.lock().unwrap();
    // One of another kind, which learns from no file.
    let other = json!({ "object": "fine_tuning.job", "id": "ftjob-other", "status": "running" });
    let jobs = seen.jobs.iter().rev().map(|(id, job)| job.told(id, inner.fate));
    page([other].into_iter().chain(jobs).collect(), &query)
}

fn none() -> Response {
    error(404, "fine_tune_not_found", "Could not find fine tune")
}

pub(super) async fn retrieve(State(inner): State<Arc<Inner>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    let mut seen = inner.seen.lock().unwrap();
    let Some(job) = seen.jobs.get_mut(&id) else { return none() };
    job.looks += 1;
    Json(job.told(&id, inner.fate)).into_response()
}

pub(super) async fn events(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let seen = inner.seen.lock().unwrap();
    seen.jobs.get(&id).map_or_else(none, |job| page(job.events(inner.fate), &query))
}

pub(super) async fn cancel(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Response {
    let mut seen = inner.seen.lock().unwrap();
    let Some(job) = seen.jobs.get_mut(&id) else { return none() };
    job.cancelled = true;
    Json(job.told(&id, inner.fate)).into_response()
}
