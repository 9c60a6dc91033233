//! `[finetune]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::FinetuneError;
use super::jobs;
use crate::inference::prompt::Template;

/// Which samples a model is tuned with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The stretch of log they are drawn from, up to the newest event.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// Samples to learn from, at most.
    pub samples: usize,
    /// Samples of each of the two other files, at most.
    pub watched: usize,
    /// Fewer samples to learn from are refused.
    pub min_samples: usize,
    /// The share of all users whose samples are for validation, 0.01 to 0.25; those of the held-out users
    /// (`evaluation.held_out`) are for the test.
    pub validation: f64,
    /// How often each answer is drawn.
    pub labels: Labels,
    /// Another seed draws other samples.
    pub seed: u64,
    /// What a prompt shows: `rag` the recent successors too, as `[retrieval]` says; `base`, with which the paper tunes, the
    /// history alone. By default what a refresh asks by default: a model is judged by the prompts that it learnt.
    pub prompt: Template,
    /// Who tunes.
    pub backend: Backend,
    /// What an endpoint's job is to do.
    pub openai: jobs::Config,
    /// How an adapter is trained in this process.
    #[cfg(feature = "embedded")]
    pub embedded: crate::inference::embedded::tune::Config,
    /// A section that this build has no use for.
    #[cfg(not(feature = "embedded"))]
    #[serde(skip_serializing)]
    pub embedded: Option<serde::de::IgnoredAny>,
}

/// Who tunes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// This process: a LoRA adapter of the embedded model.
    Embedded,
    /// A fine-tuning job of the endpoint of `[inference.openai]`.
    #[serde(rename = "openai")]
    OpenAi,
}

/// How often each answer (`c_next`) is drawn to learn from; validation and test are always natural.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// As often as in the log.
    Natural,
    /// In proportion to the square root of that.
    Tempered,
    /// Equally often, as far as there are samples.
    Balanced,
}

impl Labels {
    /// The power of a label's count that it is drawn by.
    pub(super) fn power(self) -> f64 {
        match self {
            Self::Natural => 1.0,
            Self::Tempered => 0.5,
            Self::Balanced => 0.0,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(90 * 24 * 60 * 60),
            samples: 5_000,
            watched: 1_000,
            min_samples: 100,
            validation: 0.05,
            labels: Labels::Natural,
            seed: 1,
            prompt: Template::default(),
            backend: Backend::Embedded,
            openai: jobs::Config::default(),
            embedded: Default::default(),
        }
    }
}

impl Config {
    /// Refuses what no samples can be drawn by, and what no endpoint takes.
    pub fn check(&self) -> Result<(), FinetuneError> {
        let refused = |field, value, remedy| Err(FinetuneError::Config { field, value, remedy });
        if self.samples < self.min_samples.max(1) {
            return refused("samples", self.samples.to_string(), "it is less than min_samples, or none");
        }
        if self.watched == 0 {
            return refused("watched", "0".into(), "a model that nobody watches is not tuned; use 1 or more");
        }
        if !(0.01..=0.25).contains(&self.validation) {
            return refused("validation", self.validation.to_string(), "a share of users from 0.01 to 0.25");
        }
        self.openai.check()
    }
}
