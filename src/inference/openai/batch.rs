//! The back end `openai-batch`: many questions a file, answered within a day.
//!
//! Batches under way are noted in `batches.json` of the state directory, so that a run that was killed fetches what it
//! has paid for. A batch stays noted until a later run finds nothing new in it: only then its answers are known to be
//! kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;

use super::config::Config;
use super::http::{Failure, Http, MAX_BODY};
use super::lines::{self, Answered};
use crate::inference::answers::question_key;
use crate::inference::model::{Answer, Model, ModelError, Question};
use crate::inference::vocabulary::Vocabulary;

/// Bytes of one file, by the published limits.
const MAX_FILE: usize = 200 * 1000 * 1000;
/// How long a file may be on its way.
const FILE_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Bytes of the longest file of answers that is read, into memory.
const MAX_ANSWERS: usize = 1 << 30;

/// An endpoint with files and batches.
pub struct Batches {
    id: String,
    asker: Arc<Asker>,
}

struct Asker {
    config: Config,
    id: String,
    vocabulary: Vocabulary,
    http: Http,
    notes: PathBuf,
}

/// A batch as the API tells of it.
#[derive(Debug, Deserialize)]
struct Batch {
    id: String,
    status: String,
    output_file_id: Option<String>,
    error_file_id: Option<String>,
    errors: Option<Problems>,
}

#[derive(Debug, Deserialize)]
struct Problems {
    #[serde(default)]
    data: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    message: String,
}

/// What becomes of a batch's errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errors {
    /// Their questions failed.
    Told,
    /// Their questions are asked again.
    Left,
}

type Out = Sender<Result<Answer, ModelError>>;
/// Questions without an answer yet: their names with their ids.
type Waiting = HashMap<u128, u64>;

impl Batches {
    /// Reads the API key from the environment; connects to nothing. `state` is where batches are noted.
    pub fn new(config: &Config, vocabulary: &Vocabulary, state: &Path) -> Result<Self, String> {
        let http = Http::new(config)?;
        let (config, vocabulary, notes) = (config.clone(), vocabulary.clone(), state.join("batches.json"));
        let id = config.id();
        Ok(Self { id: id.clone(), asker: Arc::new(Asker { config, id, vocabulary, http, notes }) })
    }
}

impl Model for Batches {
    fn id(&self) -> &str {
        &self.id
    }

    fn ask(&self, questions: BoxStream<'static, Question>) -> BoxStream<'static, Result<Answer, ModelError>> {
        let (out, answers) = tokio::sync::mpsc::channel(1024);
        let asker = Arc::clone(&self.asker);
        tokio::spawn(async move {
            tokio::select! {
                () = out.closed() => {}
                ended = asker.run(questions, &out) => if let Err(failure) = ended {
                    let problem = failure.problem();
                    // Whoever asked may have gone.
                    let _ = out.send(Err(ModelError { question: None, problem })).await;
                },
            }
        });
        ReceiverStream::new(answers).boxed()
    }
}

impl Asker {
    async fn run(&self, questions: BoxStream<'static, Question>, out: &Out) -> Result<(), Failure> {
        let mut asked: Vec<(u128, Question)> =
            questions.map(|question| (self.key(&question), question)).collect().await;
        let mut waiting: Waiting = asked.iter().map(|(key, question)| (*key, question.id)).collect();
        self.resume(&mut waiting, out).await?;
        asked.retain(|(key, _)| waiting.contains_key(key));
        let mut batches = Vec::new();
        let mut left = asked.as_slice();
        while !left.is_empty() {
            let (lines, taken) = self.file(left);
            batches.push(self.submit(lines, taken).await?);
            left = &left[taken..];
        }
        for id in batches {
            let batch = self.ended(&id).await?;
            self.take(&batch, &mut waiting, out, Errors::Told).await?;
        }
        Ok(())
    }

    fn key(&self, question: &Question) -> u128 {
        question_key(&self.id, &question.messages, question.decoding, self.vocabulary.hash())
    }

    /// Fetches what earlier runs have asked for. What had an error there is asked again.
    async fn resume(&self, waiting: &mut Waiting, out: &Out) -> Result<(), Failure> {
        for id in self.noted()? {
            tracing::info!(batch = id, "waiting for a batch that an earlier run has sent");
            let before = waiting.len();
            match self.ended(&id).await {
                Ok(batch) => self.take(&batch, waiting, out, Errors::Left).await?,
                Err(Failure::Absent(problem)) => tracing::warn!(batch = id, problem, "a batch is gone"),
                Err(failure) => return Err(failure),
            }
            if waiting.len() == before {
                self.forget(&id)?;
            }
        }
        Ok(())
    }

    /// The lines of the next file, and how many they are; at least one.
    fn file(&self, questions: &[(u128, Question)]) -> (String, usize) {
        let (mut lines, mut taken) = (String::new(), 0);
        for (key, question) in questions.iter().take(self.config.batch_requests) {
            let line = lines::request(&self.config, self.vocabulary.names(), *key, question);
            if taken > 0 && lines.len() + line.len() + 1 > MAX_FILE {
                break;
            }
            lines.push_str(&line);
            lines.push('\n');
            taken += 1;
        }
        (lines, taken)
    }

    /// Uploads a file and starts its batch.
    async fn submit(&self, lines: String, requests: usize) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct File {
            id: String,
        }
        let content = bytes::Bytes::from(lines);
        let upload = |client: &Client, url: &str| {
            let file = Part::stream_with_length(content.clone(), content.len() as u64).file_name("segue.jsonl");
            let form = Form::new().text("purpose", "batch").part("file", file);
            client.post(format!("{url}/files")).timeout(FILE_TIMEOUT).multipart(form)
        };
        let File { id } = read(&self.http.body(0, MAX_BODY, upload).await?)?;
        let order = json!({
            "input_file_id": id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        });
        let create = |client: &Client, url: &str| client.post(format!("{url}/batches")).json(&order);
        let batch: Batch = read(&self.http.body(0, MAX_BODY, create).await?)?;
        self.note(&batch.id)?;
        tracing::info!(batch = batch.id, requests, "a batch was sent");
        Ok(batch.id)
    }

    /// The batch, once nothing more will come of it.
    async fn ended(&self, id: &str) -> Result<Batch, Failure> {
        loop {
            let look = |client: &Client, url: &str| client.get(format!("{url}/batches/{id}"));
            let batch: Batch = read(&self.http.body(0, MAX_BODY, look).await?)?;
            match batch.status.as_str() {
                "completed" | "failed" | "expired" | "cancelled" => return Ok(batch),
                _ => tokio::time::sleep(self.config.batch_poll).await,
            }
        }
    }

    /// Passes on what a batch that has ended answered.
    async fn take(&self, batch: &Batch, waiting: &mut Waiting, out: &Out, errors: Errors) -> Result<(), Failure> {
        let Batch { id, status, output_file_id, error_file_id, errors: problems } = batch;
        if output_file_id.is_none() && error_file_id.is_none() {
            self.forget(id)?;
            let problems = problems.as_ref().map_or(&[][..], |problems| &problems.data);
            let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            let problem = format!("the batch {id} ended as {status} without answers: {}", told.join("; "));
            return if errors == Errors::Told { Err(Failure::Endpoint(problem)) } else { Ok(()) };
        }
        for file in [output_file_id, error_file_id].into_iter().flatten() {
            let fetch =
                |client: &Client, url: &str| client.get(format!("{url}/files/{file}/content")).timeout(FILE_TIMEOUT);
            let content = self.http.body(0, MAX_ANSWERS, fetch).await?;
            for line in content.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
                let Answered { key, said } = match lines::answer(&self.config, line) {
                    Ok(answered) => answered,
                    Err(problem) => {
                        tracing::warn!(batch = id, problem, "a line of a batch's answers cannot be read");
                        continue;
                    }
                };
                let passed = match said {
                    Ok((candidates, usage)) => waiting.remove(&key).map(|id| Ok(Answer { id, candidates, usage })),
                    Err(_) if errors == Errors::Left => None,
                    Err(problem) => waiting.remove(&key).map(|id| Err(ModelError { question: Some(id), problem })),
                };
                if let Some(passed) = passed {
                    // Whoever asked may have gone; this ends with the channel.
                    let _ = out.send(passed).await;
                }
            }
        }
        Ok(())
    }

    fn noted(&self) -> Result<Vec<String>, Failure> {
        match std::fs::read(&self.notes) {
            Ok(notes) => serde_json::from_slice(&notes).map_err(|error| self.unnoted("read", error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.unnoted("read", error)),
        }
    }

    fn note(&self, id: &str) -> Result<(), Failure> {
        let mut noted = self.noted()?;
        noted.push(id.to_owned());
        self.write(&noted)
    }

    fn forget(&self, id: &str) -> Result<(), Failure> {
        let mut noted = self.noted()?;
        noted.retain(|noted| noted != id);
        self.write(&noted)
    }

    /// Whole or not at all: a kill leaves the notes before or after.
    fn write(&self, noted: &[String]) -> Result<(), Failure> {
        let beside = self.notes.with_extension("json.new");
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&beside)?;
            serde_json::to_writer(&mut file, noted)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.notes)
        };
        write().map_err(|error| self.unnoted("written", error))
    }

    fn unnoted(&self, doing: &str, error: impl std::fmt::Display) -> Failure {
        let notes = self.notes.display();
        Failure::Endpoint(format!("{notes}, which notes the batches under way, cannot be {doing}: {error}"))
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let unread = |error| Failure::Endpoint(format!("the endpoint's answer is not what the API says ({error})"));
    serde_json::from_slice(body).map_err(unread)
}
