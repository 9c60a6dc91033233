//! `[finetune.openai]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::finetune::error::FinetuneError;

/// What an endpoint's job is to do, and what it may cost. The endpoint is that of `[inference.openai]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The base model, as the endpoint names it.
    pub model: String,
    /// Part of the tuned model's name.
    pub suffix: Option<String>,
    /// How often every sample is learnt from.
    pub epochs: u32,
    /// Samples of one step; by default the endpoint chooses.
    pub batch_size: Option<u32>,
    /// A factor of the step width; by default the endpoint chooses.
    pub learning_rate_multiplier: Option<f64>,
    /// The price of a million trained tokens.
    pub price: f64,
    /// Money, in the currency of the price: a job that may cost more is not ordered.
    pub max_cost: Option<f64>,
    /// How often a job is looked at.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: String::new(),
            suffix: None,
            epochs: 3,
            batch_size: None,
            learning_rate_multiplier: None,
            price: 0.0,
            max_cost: None,
            poll: Duration::from_secs(15),
        }
    }
}

impl Config {
    /// Refuses what no endpoint takes.
    pub(in crate::finetune) fn check(&self) -> Result<(), FinetuneError> {
        let refused = |field, value, remedy| Err(FinetuneError::Config { field, value, remedy });
        let money = |value: f64| value.is_finite() && value >= 0.0;
        if !(1..=50).contains(&self.epochs) {
            return refused("openai.epochs", self.epochs.to_string(), "use 1 to 50; 3 is common");
        }
        if self.batch_size == Some(0) {
            return refused("openai.batch_size", "0".into(), "use 1 or more, or leave the choice to the endpoint");
        }
        if let Some(factor) = self.learning_rate_multiplier.filter(|&factor| !money(factor) || factor == 0.0) {
            return refused("openai.learning_rate_multiplier", factor.to_string(), "use a positive number");
        }
        if self.suffix.as_ref().is_some_and(|suffix| suffix.is_empty() || suffix.len() > 64) {
            let suffix = self.suffix.clone().unwrap_or_default();
            return refused("openai.suffix", suffix, "use 1 to 64 letters");
        }
        if !money(self.price) {
            return refused("openai.price", self.price.to_string(), "a price is 0 or more");
        }
        if let Some(cost) = self.max_cost.filter(|&cost| !money(cost) || self.price == 0.0) {
            let remedy = "money is 0 or more, and a cap needs openai.price, the price of a million trained tokens";
            return refused("openai.max_cost", cost.to_string(), remedy);
        }
        if self.poll.is_zero() {
            return refused("openai.poll", "0s".into(), "use a second or more");
        }
        Ok(())
    }
}
