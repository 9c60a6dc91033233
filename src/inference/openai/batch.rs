//! The back end `openai-batch`: many questions a file, answered within a day. Questions and answers wait on the disk.
//!
//! A batch stays noted until a later run finds nothing new in it: only then its answers are known to be kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;

use super::config::Config;
use super::files::{FILE_TIMEOUT, upload};
use super::http::{Failure, Http, MAX_BODY, read};
use super::lines::{self, Answered};
use super::notes::Notes;
use super::spool::Spool;
use crate::inference::answers::question_key;
use crate::inference::model::{Answer, Model, ModelError, Question};
use crate::inference::vocabulary::Vocabulary;

/// Bytes of the longest file of answers that is taken.
const MAX_ANSWERS: u64 = 4 << 30;

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
    notes: Notes,
    /// For files that wait there.
    state: PathBuf,
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
        let (config, vocabulary, notes, state) =
            (config.clone(), vocabulary.clone(), Notes::new(state), state.to_owned());
        let id = config.id();
        Ok(Self { id: id.clone(), asker: Arc::new(Asker { config, id, vocabulary, http, notes, state }) })
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
        let mut spool = self.spooled(questions).await?;
        let mut waiting: Waiting = spool.questions.iter().map(|question| (question.key, question.id)).collect();
        self.resume(&mut waiting, out).await?;
        spool.questions.retain(|question| waiting.contains_key(&question.key));
        let (mut batches, left) = (Vec::new(), spool.questions.clone());
        let mut left = left.as_slice();
        while !left.is_empty() {
            let (file, taken) = spool.file(left, self.config.batch_requests).map_err(|error| self.unspooled(error))?;
            batches.push(self.submit(file, taken).await?);
            left = &left[taken..];
        }
        for id in batches {
            let batch = self.ended(&id).await?;
            self.take(&batch, &mut waiting, out, Errors::Told).await?;
        }
        Ok(())
    }

    async fn spooled(&self, mut questions: BoxStream<'static, Question>) -> Result<Spool, Failure> {
        let mut spool = Spool::new(&self.state).map_err(|error| self.unspooled(error))?;
        while let Some(question) = questions.next().await {
            let key = self.key(&question);
            let line = lines::request(&self.config, self.vocabulary.names(), key, &question);
            spool.push(key, question.id, line).map_err(|error| self.unspooled(error))?;
        }
        Ok(spool)
    }

    fn unspooled(&self, error: std::io::Error) -> Failure {
        Failure::Endpoint(format!("{}, where batch files wait, cannot be written: {error}", self.state.display()))
    }

    fn key(&self, question: &Question) -> u128 {
        question_key(&self.id, &question.messages, question.decoding, self.vocabulary.hash())
    }

    /// Fetches what earlier runs have asked for. What had an error there is asked again.
    async fn resume(&self, waiting: &mut Waiting, out: &Out) -> Result<(), Failure> {
        for id in self.notes.all()? {
            tracing::info!(batch = id, "waiting for a batch that an earlier run has sent");
            let before = waiting.len();
            match self.ended(&id).await {
                Ok(batch) => self.take(&batch, waiting, out, Errors::Left).await?,
                Err(Failure::Absent(problem)) => tracing::warn!(batch = id, problem, "a batch is gone"),
                Err(failure) => return Err(failure),
            }
            if waiting.len() == before {
                self.notes.forget(&id)?;
            }
        }
        Ok(())
    }

    /// Uploads a file and starts its batch.
    async fn submit(&self, file: std::fs::File, requests: usize) -> Result<String, Failure> {
        let id = upload(&self.http, "batch", "segue.jsonl", file).await?;
        let order = json!({
            "input_file_id": id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        });
        let create = |client: &Client, url: &str| client.post(format!("{url}/batches")).json(&order);
        let batch: Batch = read(&self.http.body(0, MAX_BODY, create).await?)?;
        self.notes.add(&batch.id)?;
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
            self.notes.forget(id)?;
            let problems = problems.as_ref().map_or(&[][..], |problems| &problems.data);
            let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            let problem = format!("the batch {id} ended as {status} without answers: {}", told.join("; "));
            return if errors == Errors::Told { Err(Failure::Endpoint(problem)) } else { Ok(()) };
        }
        for file in [output_file_id, error_file_id].into_iter().flatten() {
            let fetch =
                |client: &Client, url: &str| client.get(format!("{url}/files/{file}/content")).timeout(FILE_TIMEOUT);
            let content = self.http.file(MAX_ANSWERS, &self.state, fetch).await?;
            for (number, line) in lines::all(content) {
                let Answered { key, said } = match line.and_then(|line| lines::answer(&self.config, &line)) {
                    Ok(answered) => answered,
                    Err(problem) => {
                        tracing::warn!(
                            batch = id,
                            line = number,
                            problem,
                            "a line of a batch's answers cannot be read"
                        );
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
}
