//! A server that follows the published API of chat completions, files, batches and fine-tuning jobs to the letter, refuses
//! what the API does not have, and answers as it is told to.

mod jobs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

pub(crate) use jobs::Fate;

/// What happens to one request, instead of an answer.
#[derive(Clone)]
pub(crate) enum Trouble {
    /// A status with `Retry-After`, where there is one, and the API's error object.
    Refused(u16, Option<&'static str>, &'static str),
    /// Such a body, called a success.
    Garbage(&'static str),
    /// Nothing for so long.
    Silence(Duration),
}

type Answering = Box<dyn Fn(&Value) -> String + Send + Sync>;

#[derive(Default)]
struct Seen {
    troubles: VecDeque<Trouble>,
    /// Bodies of chat completions, those in batches included.
    questions: Vec<Value>,
    keys: Vec<String>,
    files: BTreeMap<String, String>,
    batches: BTreeMap<String, Batch>,
    jobs: jobs::Made,
}

#[derive(Clone)]
struct Batch {
    input: String,
    looks_left: usize,
    output: Option<String>,
    errors: Option<String>,
    failed: Option<&'static str>,
}

struct Inner {
    answering: Answering,
    seen: Mutex<Seen>,
    /// How often a batch is looked at before it has ended.
    looks: usize,
    /// Lines of a batch whose user message holds this end in an error.
    bad: &'static str,
    pause: Duration,
    fate: Fate,
    lost_batch: bool,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

/// A running server; it ends with the test's process.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

/// How a server behaves.
pub(crate) struct Behaviour {
    pub(crate) answering: Answering,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) looks: usize,
    pub(crate) bad: &'static str,
    pub(crate) pause: Duration,
    pub(crate) fate: Fate,
    /// The first batch is made, and the client is told of a failure.
    pub(crate) lost_batch: bool,
}

impl Default for Behaviour {
    /// Repeats the user's message.
    fn default() -> Self {
        let answering = Box::new(|body: &Value| user(body).to_owned());
        let (troubles, pause, fate) = (Vec::new(), Duration::ZERO, Fate::default());
        Self { answering, troubles, looks: 2, bad: "\u{0}", pause, fate, lost_batch: false }
    }
}

/// The last message of a question.
pub(crate) fn user(body: &Value) -> &str {
    body["messages"].as_array().and_then(|messages| messages.last()?["content"].as_str()).unwrap_or_default()
}

impl Endpoint {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let Behaviour { answering, troubles, looks, bad, pause, fate, lost_batch } = behaviour;
        let seen = Mutex::new(Seen { troubles: troubles.into(), ..Seen::default() });
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let inner = Arc::new(Inner { answering, seen, looks, bad, pause, fate, lost_batch, under_way, most });
        let router = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/files", post(upload))
            .route("/v1/files/{id}/content", get(content))
            .route("/v1/batches", post(create).get(list))
            .route("/v1/batches/{id}", get(retrieve))
            .route("/v1/fine_tuning/jobs", post(jobs::create).get(jobs::list))
            .route("/v1/fine_tuning/jobs/{id}", get(jobs::retrieve))
            .route("/v1/fine_tuning/jobs/{id}/events", get(jobs::events))
            .route("/v1/fine_tuning/jobs/{id}/cancel", post(jobs::cancel))
            .with_state(Arc::clone(&inner));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
            });
        });
        Self { url, inner }
    }

    /// The bodies of all questions so far.
    pub(crate) fn questions(&self) -> Vec<Value> {
        self.inner.seen.lock().unwrap().questions.clone()
    }

    /// The API keys sent so far, each once.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.inner.seen.lock().unwrap().keys.iter().cloned().collect()
    }

    /// Requests answered at once, at most.
    pub(crate) fn most_under_way(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }

    /// Batches made so far.
    pub(crate) fn batches(&self) -> usize {
        self.inner.seen.lock().unwrap().batches.len()
    }

    /// Fine-tuning jobs made so far.
    pub(crate) fn jobs(&self) -> usize {
        self.inner.seen.lock().unwrap().jobs.len()
    }

    /// No fine-tuning job is known any more.
    pub(crate) fn forget_jobs(&self) {
        self.inner.seen.lock().unwrap().jobs.clear();
    }

    /// No file is there any more.
    pub(crate) fn forget_files(&self) {
        self.inner.seen.lock().unwrap().files.clear();
    }

    /// The next requests fare so.
    pub(crate) fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.inner.seen.lock().unwrap().troubles.extend(troubles);
    }

    /// Every batch so far fails as a whole.
    pub(crate) fn fail_batches(&self, why: &'static str) {
        for batch in self.inner.seen.lock().unwrap().batches.values_mut() {
            (batch.failed, batch.output, batch.errors) = (Some(why), None, None);
        }
    }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let kind = if status >= 500 { "server_error" } else { "invalid_request_error" };
    let body = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

/// The trouble of this request, where there is one.
async fn trouble(inner: &Inner, headers: &HeaderMap) -> Option<Response> {
    let trouble = {
        let mut seen = inner.seen.lock().unwrap();
        let bearer = headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
        seen.keys.push(bearer.to_owned());
        seen.troubles.pop_front()
    };
    match trouble? {
        Trouble::Refused(status, retry_after, code) => {
            let key = headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
            let mut response = error(status, code, &format!("refused, you sent {key}"));
            if let Some(wait) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, wait.parse().unwrap());
            }
            Some(response)
        }
        Trouble::Garbage(body) => Some(([(header::CONTENT_TYPE, "application/json")], body).into_response()),
        Trouble::Silence(wait) => {
            tokio::time::sleep(wait).await;
            Some(error(503, "late", "too late"))
        }
    }
}

/// What is wrong with a question by the API.
fn fault(body: &Value) -> Option<String> {
    let Some(fields) = body.as_object() else { return Some("no object".into()) };
    let known =
        ["model", "messages", "temperature", "n", "seed", "max_completion_tokens", "logprobs", "response_format"];
    if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Some(format!("Unrecognized request argument supplied: {unknown}"));
    }
    let role = |message: &Value| matches!(message["role"].as_str(), Some("system" | "user" | "assistant"));
    let fine = |message: &Value| role(message) && message["content"].is_string();
    let messages = body["messages"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(fine));
    let ranged = |name: &str, low: f64, high: f64| {
        fields.get(name).is_none_or(|value| value.as_f64().is_some_and(|value| (low..=high).contains(&value)))
    };
    let checks = [
        (body["model"].is_string(), "model"),
        (messages, "messages"),
        (ranged("temperature", 0.0, 2.0), "temperature"),
        (ranged("n", 1.0, 128.0), "n"),
        (ranged("max_completion_tokens", 1.0, 1e6), "max_completion_tokens"),
        (fields.get("seed").is_none_or(Value::is_i64), "seed"),
    ];
    checks.into_iter().find(|(fine, _)| !fine).map(|(_, name)| format!("invalid {name}"))
}

/// The completion of a question that has no fault.
fn completion(inner: &Inner, body: &Value) -> Value {
    let said = (inner.answering)(body);
    let wanted = body["n"].as_u64().unwrap_or(1);
    let token = json!({ "token": said, "logprob": -0.5, "bytes": null, "top_logprobs": [] });
    let logprobs =
        if body["logprobs"] == json!(true) { json!({ "content": [token], "refusal": null }) } else { Value::Null };
    let choice = |index: u64| {
        json!({
            "index": index,
            "message": { "role": "assistant", "content": said, "refusal": null, "annotations": [] },
            "logprobs": logprobs,
            "finish_reason": "stop",
        })
    };
    let usage = json!({
        "prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23,
        "prompt_tokens_details": { "cached_tokens": 5, "audio_tokens": 0 },
    });
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_767_225_600, "model": body["model"],
        "choices": (0..wanted).map(choice).collect::<Vec<_>>(), "usage": usage, "service_tier": "default",
    })
}

async fn chat(State(inner): State<Arc<Inner>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let now = inner.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    inner.most.fetch_max(now, Ordering::SeqCst);
    inner.seen.lock().unwrap().questions.push(body.clone());
    let response = match (trouble(&inner, &headers).await, fault(&body)) {
        (Some(trouble), _) => trouble,
        (None, Some(fault)) => error(400, "invalid_value", &fault),
        (None, None) => {
            tokio::time::sleep(inner.pause).await;
            Json(completion(&inner, &body)).into_response()
        }
    };
    inner.under_way.fetch_sub(1, Ordering::SeqCst);
    response
}

async fn upload(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    let kind = headers[header::CONTENT_TYPE].to_str().unwrap();
    let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") else {
        return error(400, "invalid_content_type", "files are multipart/form-data");
    };
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (mut purpose, mut file) = (None, None);
    for part in body.split(&format!("--{boundary}")).filter_map(|part| part.split_once("\r\n\r\n")) {
        let (head, value) = (part.0, part.1.strip_suffix("\r\n").unwrap());
        if head.contains("name=\"purpose\"") {
            purpose = Some(value);
        } else if head.contains("name=\"file\"") && head.contains("filename=\"") {
            file = Some(value);
        }
    }
    let (Some(purpose @ ("batch" | "fine-tune")), Some(content)) = (purpose, file) else {
        return error(400, "missing_required_parameter", "a file needs a purpose and a file");
    };
    let mut seen = inner.seen.lock().unwrap();
    let id = format!("file-{}", seen.files.len());
    seen.files.insert(id.clone(), content.to_owned());
    Json(json!({
        "id": id, "object": "file", "bytes": content.len(), "created_at": 1_767_225_600,
        "filename": "segue.jsonl", "purpose": purpose,
    }))
    .into_response()
}

async fn content(State(inner): State<Arc<Inner>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    match inner.seen.lock().unwrap().files.get(&id) {
        Some(content) => content.clone().into_response(),
        None => error(404, "not_found", "No such File object"),
    }
}

async fn create(State(inner): State<Arc<Inner>>, headers: HeaderMap, Json(order): Json<Value>) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    if (&order["endpoint"], &order["completion_window"]) != (&json!("/v1/chat/completions"), &json!("24h")) {
        return error(400, "invalid_value", "unknown endpoint or completion window");
    }
    let input = order["input_file_id"].as_str().unwrap_or_default().to_owned();
    let Some(lines) = inner.seen.lock().unwrap().files.get(&input).cloned() else {
        return error(400, "invalid_value", "no such input file");
    };
    let (output, errors) = match answered(&inner, &lines) {
        Ok(files) => files,
        Err(fault) => return error(400, "invalid_value", &fault),
    };
    let mut seen = inner.seen.lock().unwrap();
    let id = format!("batch_{}", seen.batches.len());
    let mut kept = |name: &str, content: String| {
        let file = format!("file-{id}-{name}");
        (!content.is_empty()).then(|| seen.files.insert(file.clone(), content)).map(|_| file)
    };
    let (output, errors) = (kept("output", output), kept("errors", errors));
    let batch = Batch { input, looks_left: inner.looks, output, errors, failed: None };
    seen.batches.insert(id.clone(), batch.clone());
    if inner.lost_batch && seen.batches.len() == 1 {
        return error(500, "server_error", "lost");
    }
    Json(told(&id, &batch)).into_response()
}

async fn list(State(inner): State<Arc<Inner>>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let seen = inner.seen.lock().unwrap();
    jobs::page(seen.batches.iter().rev().map(|(id, batch)| told(id, batch)).collect(), &query)
}

/// The files of answers and of errors to a file of questions.
fn answered(inner: &Inner, lines: &str) -> Result<(String, String), String> {
    let (mut output, mut errors, mut ids) = (String::new(), String::new(), BTreeSet::new());
    for (line, number) in lines.lines().zip(1..) {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
        let id = line["custom_id"].as_str().ok_or(format!("line {number}: no custom_id"))?;
        if !ids.insert(id.to_owned()) {
            return Err(format!("line {number}: custom_id {id} stands twice"));
        }
        if (&line["method"], &line["url"]) != (&json!("POST"), &json!("/v1/chat/completions")) {
            return Err(format!("line {number}: unknown method or url"));
        }
        let body = &line["body"];
        inner.seen.lock().unwrap().questions.push(body.clone());
        let request = format!("batch_req_{number}");
        if let Some(fault) = fault(body).or(user(body).contains(inner.bad).then(|| "bad".to_owned())) {
            let refused = json!({ "error": { "message": fault, "code": "invalid_value" } });
            let response = json!({ "status_code": 400, "request_id": "r", "body": refused });
            let line = json!({ "id": request, "custom_id": id, "response": response, "error": null });
            errors.push_str(&format!("{line}\n"));
        } else {
            let response = json!({ "status_code": 200, "request_id": "r", "body": completion(inner, body) });
            let line = json!({ "id": request, "custom_id": id, "response": response, "error": null });
            // The order of answers is not that of questions.
            output.insert_str(0, &format!("{line}\n"));
        }
    }
    Ok((output, errors))
}

async fn retrieve(State(inner): State<Arc<Inner>>, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if let Some(trouble) = trouble(&inner, &headers).await {
        return trouble;
    }
    let mut seen = inner.seen.lock().unwrap();
    let Some(batch) = seen.batches.get_mut(&id) else {
        return error(404, "not_found", "No batch found with this id");
    };
    let told = told(&id, batch);
    batch.looks_left = batch.looks_left.saturating_sub(1);
    Json(told).into_response()
}

fn told(id: &str, batch: &Batch) -> Value {
    let Batch { input, looks_left, output, errors, failed } = batch;
    let ended = *looks_left == 0;
    let status = match (ended, failed) {
        (false, _) => "in_progress",
        (true, Some(_)) => "failed",
        (true, None) => "completed",
    };
    let problem = |message| json!({ "code": "token_limit_exceeded", "message": message, "param": null, "line": null });
    let problems = failed.map(|message| json!({ "object": "list", "data": [problem(message)] }));
    json!({
        "id": id, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": input,
        "completion_window": "24h", "status": status, "created_at": 1_767_225_600, "errors": problems,
        "output_file_id": output.as_ref().filter(|_| ended), "error_file_id": errors.as_ref().filter(|_| ended),
        "request_counts": { "total": 1, "completed": 1, "failed": 0 },
    })
}
