//! `[finetune.embedded]`

use serde::{Deserialize, Serialize};

use super::TuneError;

/// How an adapter is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The adapter's inner width: what it can learn, and its size.
    pub rank: usize,
    /// What the adapter adds is multiplied by `alpha / rank`.
    pub alpha: f32,
    /// Which matrices are adapted.
    pub targets: Targets,
    /// The highest step width.
    pub learning_rate: f64,
    /// The share of all steps in which the step width rises to that; afterwards it falls to 0 along a cosine.
    pub warmup: f64,
    /// What AdamW takes off every number in each step, times the step width.
    pub weight_decay: f64,
    /// Gradients longer than that are shortened to it.
    pub clip: f64,
    /// Samples of one step.
    pub batch: usize,
    /// Tokens computed in one pass, which bounds memory: about 1 MB each with the default model. What a step has more
    /// is computed in further passes, whose gradients add up.
    pub rows: usize,
    /// How often every sample is learnt from.
    pub epochs: usize,
    /// Steps from one look at the validation samples to the next.
    pub evaluate_every: usize,
    /// Looks without a smaller loss after which training ends.
    pub patience: usize,
    /// Steps from one checkpoint to the next.
    pub checkpoint_every: usize,
    /// Where the adapter begins, and in which order samples come.
    pub seed: u64,
}

/// Which matrices are adapted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// Those of queries and values.
    QueryValue,
    /// All of attention and of the inner layers.
    All,
}

impl Targets {
    /// Whether a matrix is adapted, by its part of the layer.
    pub(super) fn hold(self, part: &str) -> bool {
        self == Self::All || matches!(part, "attn_q" | "attn_v")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            targets: Targets::All,
            learning_rate: 1e-3,
            warmup: 0.05,
            weight_decay: 0.01,
            clip: 1.0,
            batch: 16,
            rows: 1024,
            epochs: 3,
            evaluate_every: 50,
            patience: 3,
            checkpoint_every: 25,
            seed: 1,
        }
    }
}

impl Config {
    /// Refuses what trains nothing.
    pub fn check(&self) -> Result<(), TuneError> {
        let refused =
            |field, value: &dyn ToString, remedy| Err(TuneError::Config { field, value: value.to_string(), remedy });
        let counts = [
            ("batch", self.batch),
            ("rows", self.rows),
            ("epochs", self.epochs),
            ("evaluate_every", self.evaluate_every),
            ("patience", self.patience),
            ("checkpoint_every", self.checkpoint_every),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return refused(field, &0, "use 1 or more");
        }
        if !(1..=256).contains(&self.rank) {
            return refused("rank", &self.rank, "use 1 to 256; 8 is common");
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.alpha.into()) {
            return refused("alpha", &self.alpha, "use a positive number; twice the rank is common");
        }
        if !positive(self.learning_rate) || self.learning_rate > 1.0 {
            return refused("learning_rate", &self.learning_rate, "use a number between 0 and 1; 0.001 is common");
        }
        if !(0.0..1.0).contains(&self.warmup) {
            return refused("warmup", &self.warmup, "use a share of the steps, from 0 to less than 1");
        }
        if !(0.0..1.0).contains(&self.weight_decay) {
            return refused("weight_decay", &self.weight_decay, "use a number from 0 to less than 1");
        }
        if !positive(self.clip) {
            return refused("clip", &self.clip, "use a positive number; 1 is common");
        }
        Ok(())
    }
}
