//! `[inference.openai]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An endpoint, and how hard it may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the API begins, `/v1` included.
    pub url: String,
    /// The model's name there. Kept answers go by this name, not by the address.
    pub model: String,
    /// The environment variable that holds the API key; where it is not set, none is sent.
    pub key_env: String,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Requests started in a minute, evenly spread.
    pub requests_per_minute: Option<u32>,
    /// Tokens of prompts and answers in a minute, estimated, evenly spread.
    pub tokens_per_minute: Option<u64>,
    /// How long one request may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How often a request is sent again that failed for the moment.
    pub retries: u32,
    /// Whether to ask for log-probabilities, which become scores.
    pub logprobs: bool,
    /// How constrained decoding is asked for.
    pub constraint: Constraint,
    /// Requests in one batch file, at most 50,000; a file is at most 200 MB in any case.
    pub batch_requests: usize,
    /// How often a batch is looked at.
    #[serde(with = "humantime_serde")]
    pub batch_poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "https://api.openai.com/v1".into(),
            model: String::new(),
            key_env: "OPENAI_API_KEY".into(),
            concurrency: 16,
            requests_per_minute: None,
            tokens_per_minute: None,
            timeout: Duration::from_secs(60),
            retries: 6,
            logprobs: false,
            constraint: Constraint::JsonSchema,
            batch_requests: MAX_BATCH,
            batch_poll: Duration::from_secs(30),
        }
    }
}

/// Requests in a batch file, by the published limits.
const MAX_BATCH: usize = 50_000;

/// How an endpoint is told that only descriptions of clusters may come out. It gives its one best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// `response_format` with an enum of the descriptions (OpenAI, llama.cpp, vLLM). OpenAI takes at most 1,000.
    JsonSchema,
    /// vLLM's `structured_outputs.choice`.
    Choice,
}

impl Config {
    /// Names the model in kept answers and lineages.
    pub(super) fn id(&self) -> String {
        format!("openai/{}", self.model)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let url = reqwest::Url::parse(&self.url);
        let fine = |url: &reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let plain = |url: &reqwest::Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
        match url {
            Ok(url) if fine(&url) && plain(&url) => {}
            Ok(url) if fine(&url) => {
                return Err("inference.openai.url holds credentials or a query: put the key into the environment \
                            variable that inference.openai.key_env names"
                    .into());
            }
            _ => return Err("inference.openai.url is no http or https address".into()),
        }
        let refused = [
            (self.model.is_empty(), "model is empty: name the model to ask"),
            (!(1..=4096).contains(&self.concurrency), "concurrency must be 1 to 4096"),
            (self.requests_per_minute == Some(0), "requests_per_minute = 0 would never ask: leave it out for no limit"),
            (self.tokens_per_minute == Some(0), "tokens_per_minute = 0 would never ask: leave it out for no limit"),
            (self.timeout.is_zero(), "timeout must be longer than nothing"),
            (!(1..=MAX_BATCH).contains(&self.batch_requests), "batch_requests must be 1 to 50000"),
            (self.batch_poll.is_zero(), "batch_poll must be longer than nothing"),
        ];
        match refused.into_iter().find(|(wrong, _)| *wrong) {
            Some((_, problem)) => Err(format!("inference.openai.{problem}")),
            None => Ok(()),
        }
    }
}
