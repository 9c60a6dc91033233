//! `[inference]`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::InferenceError;
use super::openai;
use super::prompt;

/// Who predicts, what is asked, and what it may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who answers.
    pub backend: Backend,
    /// Which model the back end asks.
    pub model: Choice,
    /// Which keys are asked for.
    pub keys: Keys,
    /// The most keys asked for, known answers included: it bounds memory (about 500 bytes a key).
    pub max_keys: usize,
    /// What is said to the model.
    pub prompt: prompt::Config,
    /// How answers are drawn.
    pub decoding: DecodingConfig,
    /// What one run may take.
    pub budget: BudgetConfig,
    /// How long an answer is kept that no refresh has rested on, up to the last one that rested on any; in whole days.
    #[serde(with = "humantime_serde")]
    pub keep_answers: Duration,
    /// The endpoint of the back ends `openai` and `openai-batch`.
    pub openai: openai::Config,
    /// The model of the back end `embedded`.
    #[cfg(feature = "embedded")]
    pub embedded: super::embedded::Config,
    /// A section that this build has no use for.
    #[cfg(not(feature = "embedded"))]
    #[serde(skip_serializing)]
    pub embedded: Option<serde::de::IgnoredAny>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backend: Backend::Retrieved,
            model: Choice::Config,
            keys: Keys::Every,
            max_keys: 1_000_000,
            prompt: prompt::Config::default(),
            decoding: DecodingConfig::default(),
            budget: BudgetConfig::default(),
            // Twice the usual life of a tuned model: going back to the one before costs nothing.
            keep_answers: Duration::from_secs(60 * 24 * 60 * 60),
            openai: openai::Config::default(),
            embedded: Default::default(),
        }
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Nobody: a key's own successors are its predictions.
    Retrieved,
    /// A model in this process.
    Embedded,
    /// An OpenAI-compatible chat endpoint.
    #[serde(rename = "openai")]
    OpenAi,
    /// The same through files and batches: cheaper, and hours later.
    #[serde(rename = "openai-batch")]
    OpenAiBatch,
}

impl Backend {
    /// As the config spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retrieved => "retrieved",
            Self::Embedded => "embedded",
            Self::OpenAi => "openai",
            Self::OpenAiBatch => "openai-batch",
        }
    }
}

/// Which model the back end asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The one that the back end's section names.
    Config,
    /// The newest approved one of the store's models: an adapter of the `embedded` back end's base model, or a model
    /// that the endpoint knows.
    Registry,
}

/// Which keys are asked for: `"every"`, or `{ observed = 3 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keys {
    /// Every history of `table.k` distinct active clusters (the paper's choice, section 2.1): those observed most come
    /// first, then those never observed, by id.
    Every,
    /// Those observed at least so many times in the table's window.
    Observed(u64),
}

/// How answers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodingConfig {
    /// Whether only descriptions of clusters can come out.
    pub constrained: bool,
    /// Clusters wanted of each key: samples where decoding is free, the best ones where it is constrained.
    pub answers: usize,
    /// Free decoding: 0 takes the likeliest token each time.
    pub temperature: f32,
    /// Makes free decoding repeatable, where the model can.
    pub seed: u64,
    /// Free decoding: the longest answer.
    pub max_tokens: usize,
    /// Free decoding: how often a key is asked again whose answer names no cluster, or only its own.
    pub retries: u64,
    /// The temperature of those.
    pub retry_temperature: f32,
}

impl Default for DecodingConfig {
    fn default() -> Self {
        Self {
            constrained: false,
            answers: 1,
            temperature: 0.0,
            seed: 0,
            max_tokens: 64,
            retries: 2,
            retry_temperature: 0.7,
        }
    }
}

/// What one run may take. Nothing is sent that could go over; `None` is no cap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// Questions.
    pub max_questions: Option<u64>,
    /// Tokens of prompts and answers.
    pub max_tokens: Option<u64>,
    /// Money, in the currency of the prices.
    pub max_cost: Option<f64>,
    /// The price of a million tokens of prompts.
    pub prompt_price: f64,
    /// The price of a million tokens of answers.
    pub answer_price: f64,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { max_questions: Some(100_000), max_tokens: None, max_cost: None, prompt_price: 0.0, answer_price: 0.0 }
    }
}

impl Config {
    /// Whether the store's newest approved model is asked.
    pub fn asks_registry(&self) -> bool {
        self.model == Choice::Registry && self.backend != Backend::Retrieved
    }

    /// What serde cannot check; the message names the key.
    pub fn check(&self) -> Result<(), InferenceError> {
        let DecodingConfig { answers, temperature, max_tokens, retries, retry_temperature, .. } = self.decoding;
        let BudgetConfig { max_cost, prompt_price, answer_price, .. } = self.budget;
        let (cost, keep) = (max_cost.unwrap_or(0.0), self.keep_answers);
        let warm = |value: f32| (0.0..=2.0).contains(&value);
        let money = |value: f64| value.is_finite() && value >= 0.0;
        let checks: [(bool, _, &dyn fmt::Display, _); 10] = [
            (self.max_keys > 0, "max_keys", &self.max_keys, "ask for at least one key"),
            ((1..=64).contains(&answers), "decoding.answers", &answers, "use 1 to 64"),
            (max_tokens > 0, "decoding.max_tokens", &max_tokens, "an answer takes at least one token"),
            (retries <= 10, "decoding.retries", &retries, "use at most 10"),
            (warm(temperature), "decoding.temperature", &temperature, "use 0 to 2"),
            (warm(retry_temperature), "decoding.retry_temperature", &retry_temperature, "use 0 to 2"),
            (money(cost), "budget.max_cost", &cost, "money is 0 or more"),
            (money(prompt_price), "budget.prompt_price", &prompt_price, "a price is 0 or more"),
            (money(answer_price), "budget.answer_price", &answer_price, "a price is 0 or more"),
            (keep.as_secs() > 0, "keep_answers", &humantime::format_duration(keep), "use 1d or more"),
        ];
        match checks.into_iter().find(|(fine, ..)| !fine) {
            Some((_, field, value, problem)) => {
                Err(InferenceError::Config { field, value: value.to_string(), problem })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_default_and_fine() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
        config.check().unwrap();
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config);
    }

    #[test]
    fn values_are_spelled_as_the_design_spells_them() {
        for (text, backend) in [
            ("retrieved", Backend::Retrieved),
            ("embedded", Backend::Embedded),
            ("openai", Backend::OpenAi),
            ("openai-batch", Backend::OpenAiBatch),
        ] {
            let json = format!(r#"{{"backend":"{text}","keys":{{"observed":3}}}}"#);
            let config: Config = serde_json::from_str(&json).unwrap();
            assert_eq!((config.backend, config.backend.name(), config.keys), (backend, text, Keys::Observed(3)));
        }
        assert_eq!(serde_json::from_str::<Keys>(r#""every""#).unwrap(), Keys::Every);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_value() {
        for (json, part) in [
            (r#"{"max_keys":0}"#, "inference.max_keys = 0: ask for"),
            (r#"{"decoding":{"answers":65}}"#, "inference.decoding.answers = 65: use 1 to 64"),
            (r#"{"decoding":{"temperature":-0.5}}"#, "inference.decoding.temperature = -0.5"),
            (r#"{"budget":{"max_cost":-1}}"#, "inference.budget.max_cost = -1"),
        ] {
            let config: Config = serde_json::from_str(json).unwrap();
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(serde_json::from_str::<Config>(r#"{"decoding":{"samples":2}}"#).is_err());
    }
}
