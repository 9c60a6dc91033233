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
        questions.map(move |question| Arc::clone(&asker).answer(question)).buffer_unordered(concurrency).boxed()
    }
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
