//! The back end `openai`: one question a request.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;

use super::config::Config;
use super::http::{Failure, Http, MAX_BODY};
use super::wire;
use crate::inference::budget::{Estimate, longest};
use crate::inference::model::{Answer, Model, ModelError, Question};
use crate::inference::vocabulary::Vocabulary;

/// A chat endpoint.
pub struct Chat {
    id: String,
    asker: Arc<Asker>,
}

struct Asker {
    config: Config,
    names: Vec<String>,
    longest: u64,
    http: Http,
}

impl Chat {
    /// Reads the API key from the environment; connects to nothing.
    pub fn new(config: &Config, vocabulary: &Vocabulary) -> Result<Self, String> {
        let http = Http::new(config)?;
        let names = vocabulary.names().to_vec();
        let longest = longest(&names);
        Ok(Self { id: config.id(), asker: Arc::new(Asker { config: config.clone(), names, longest, http }) })
    }
}

impl Model for Chat {
    fn id(&self) -> &str {
        &self.id
    }

    fn ask(&self, questions: BoxStream<'static, Question>) -> BoxStream<'static, Result<Answer, ModelError>> {
        let asker = Arc::clone(&self.asker);
        let concurrency = asker.config.concurrency;
        let mut failures = 0;
        let answers = questions.map(move |question| Arc::clone(&asker).answer(question));
        let answers = answers.buffer_unordered(concurrency);
        answers
            .map(move |answer| answer.map_err(|error| last_straw(error, &mut failures)).inspect(|_| failures = 0))
            .boxed()
    }
}

/// An endpoint that fails so many questions in a row is not asked any more.
const FAILURES_IN_A_ROW: u32 = 100;

/// The failure that is one too many is the endpoint's.
fn last_straw(error: ModelError, failures: &mut u32) -> ModelError {
    *failures += 1;
    if error.question.is_none() || *failures < FAILURES_IN_A_ROW {
        return error;
    }
    let problem = format!("{failures} questions failed in a row, the last one so: {}", error.problem);
    ModelError { question: None, problem }
}

impl Asker {
    async fn answer(self: Arc<Self>, question: Question) -> Result<Answer, ModelError> {
        let estimate = Estimate::of(&question.messages, question.decoding, self.longest);
        let body = wire::request(&self.config, &self.names, &question);
        let make = |client: &reqwest::Client, url: &str| client.post(format!("{url}/chat/completions")).json(&body);
        let answered = self.http.body(estimate.prompt + estimate.answer, MAX_BODY, make).await;
        let id = question.id;
        let read = |body: Vec<u8>| wire::answer(&self.config, &body).map_err(Failure::Request);
        match answered.and_then(read) {
            Ok((candidates, usage)) => Ok(Answer { id, candidates, usage }),
            Err(Failure::Request(problem)) => Err(ModelError { question: Some(id), problem }),
            Err(Failure::Absent(problem) | Failure::Endpoint(problem)) => Err(ModelError { question: None, problem }),
        }
    }
}
