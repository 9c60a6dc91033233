//! The back end `openai-batch`: many questions a file, answered within a day. Questions and answers wait on the disk.
//!
//! A batch stays noted until a later run has read it once more: only then its answers are known to be kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;

use super::config::Config;
use super::files::{FILE_TIMEOUT, upload};
use super::http::{Failure, Http, MAX_BODY, read};
use super::lines::{self, Answered};
use super::notes::{Noted, Notes};
use super::orders::{self, checked, once};
use super::spool::Spool;
use crate::inference::answers::question_key;
use crate::inference::model::{Answer, Kept, Model, ModelError, Question};
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

    fn left_over(&self) -> BoxStream<'static, Result<Vec<Kept>, ModelError>> {
        let left = LeftOver { asker: Arc::clone(&self.asker), told: None };
        let answers = futures::stream::try_unfold(left, LeftOver::next);
        answers.map_err(|failure| ModelError { question: None, problem: failure.problem() }).boxed()
    }
}

/// Batches of earlier runs, read one after the other.
struct LeftOver {
    asker: Arc<Asker>,
    /// What was told last: whoever wants the next has kept it.
    told: Option<Noted>,
}

impl LeftOver {
    async fn next(self) -> Result<Option<(Vec<Kept>, Self)>, Failure> {
        if let Some(told) = &self.told {
            self.asker.notes.forget(told)?;
        }
        let Some(next) = self.asker.notes.all()?.into_iter().next() else { return Ok(None) };
        let answers = match self.asker.answers_of(&next).await {
            // Its questions are asked again.
            Err(Failure::Absent(problem)) => {
                tracing::warn!(batch = ?next, problem, "a batch, or its answers, are gone");
                Vec::new()
            }
            answers => answers?,
        };
        Ok(Some((answers, Self { told: Some(next), ..self })))
    }
}

impl Asker {
    async fn run(&self, questions: BoxStream<'static, Question>, out: &Out) -> Result<(), Failure> {
        let mut spool = self.spooled(questions).await?;
        let mut waiting: Waiting = spool.questions.iter().map(|question| (question.key, question.id)).collect();
        let (mut batches, left) = (Vec::new(), spool.questions.clone());
        let mut left = left.as_slice();
        while !left.is_empty() {
            let (file, taken) = spool.file(left, self.config.batch_requests).map_err(|error| self.unspooled(error))?;
            batches.push(self.submit(file, taken).await?);
            left = &left[taken..];
        }
        for id in batches {
            let batch = self.ended(&id).await?;
            self.take(&batch, &mut waiting, out).await?;
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

    /// What became of a batch of an earlier run. What had an error there is asked again.
    async fn answers_of(&self, noted: &Noted) -> Result<Vec<Kept>, Failure> {
        let id = match noted {
            Noted::Batch(id) => id.clone(),
            Noted::File { file } => match self.found(file).await? {
                Some(batch) => batch.id,
                None => return Ok(Vec::new()),
            },
        };
        tracing::info!(batch = id, "waiting for a batch that an earlier run has sent");
        let batch = self.ended(&id).await?;
        let mut answers = Vec::new();
        for Answered { key, said } in self.lines(&id, batch.output_file_id.as_deref()).await? {
            answers.extend(said.ok().map(|(candidates, _)| (key, candidates)));
        }
        Ok(answers)
    }

    /// Uploads a file and starts its batch.
    async fn submit(&self, file: std::fs::File, requests: usize) -> Result<String, Failure> {
        let file = upload(&self.http, "batch", "segue.jsonl", file).await?;
        let order = json!({
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        });
        let create = |client: &Client, url: &str| client.post(format!("{url}/batches")).json(&order);
        let noted = Noted::File { file: file.clone() };
        self.notes.note(noted.clone(), None)?;
        let batch = once(&self.http, create, batch, || self.found(&file)).await?;
        self.notes.note(Noted::Batch(batch.id.clone()), Some(&noted))?;
        tracing::info!(batch = batch.id, requests, "a batch was sent");
        Ok(batch.id)
    }

    /// The batch of a file, where there is one.
    async fn found(&self, file: &str) -> Result<Option<Batch>, Failure> {
        #[derive(Deserialize)]
        struct Reads {
            input_file_id: Option<String>,
        }
        let is = |batch: &Reads| batch.input_file_id.as_deref() == Some(file);
        match orders::find(&self.http, "batches", is).await? {
            Some(id) => self.look(&id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn look(&self, id: &str) -> Result<Batch, Failure> {
        let look = |client: &Client, url: &str| client.get(format!("{url}/batches/{id}"));
        batch(&self.http.body(0, MAX_BODY, look).await?)
    }

    /// The batch, once nothing more will come of it.
    async fn ended(&self, id: &str) -> Result<Batch, Failure> {
        loop {
            let batch = self.look(id).await?;
            match batch.status.as_str() {
                "completed" | "failed" | "expired" | "cancelled" => return Ok(batch),
                _ => tokio::time::sleep(self.config.batch_poll).await,
            }
        }
    }

    /// Passes on what a batch that has ended answered.
    async fn take(&self, batch: &Batch, waiting: &mut Waiting, out: &Out) -> Result<(), Failure> {
        let Batch { id, status, output_file_id, error_file_id, errors: problems } = batch;
        if output_file_id.is_none() && error_file_id.is_none() {
            self.notes.forget(&Noted::Batch(id.clone()))?;
            let problems = problems.as_ref().map_or(&[][..], |problems| &problems.data);
            let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            let problem = format!("the batch {id} ended as {status} without answers: {}", told.join("; "));
            return Err(Failure::Endpoint(problem));
        }
        for file in [output_file_id, error_file_id] {
            for Answered { key, said } in self.lines(id, file.as_deref()).await? {
                let Some(question) = waiting.remove(&key) else { continue };
                let passed = match said {
                    Ok((candidates, usage)) => Ok(Answer { id: question, candidates, usage }),
                    Err(problem) => Err(ModelError { question: Some(question), problem }),
                };
                // Whoever asked may have gone; this ends with the channel.
                let _ = out.send(passed).await;
            }
        }
        Ok(())
    }

    /// What the lines of a batch's file say; those that say nothing are told in the log.
    async fn lines(&self, batch: &str, file: Option<&str>) -> Result<impl Iterator<Item = Answered>, Failure> {
        let content = match file {
            None => None,
            Some(file) => {
                let fetch = |client: &Client, url: &str| {
                    client.get(format!("{url}/files/{file}/content")).timeout(FILE_TIMEOUT)
                };
                Some(self.http.file(MAX_ANSWERS, &self.state, fetch).await?)
            }
        };
        let (config, batch) = (&self.config, batch.to_owned());
        Ok(content.into_iter().flat_map(lines::all).filter_map(move |(line, read)| {
            let answered = read.and_then(|line| lines::answer(config, &line));
            answered
                .inspect_err(|problem| tracing::warn!(batch, line, problem, "a batch's answers cannot be read here"))
                .ok()
        }))
    }
}

fn batch(body: &[u8]) -> Result<Batch, Failure> {
    let batch: Batch = read(body)?;
    Ok(Batch { id: checked(batch.id)?, ..batch })
}
