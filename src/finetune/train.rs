//! From samples to an adapter, in this process.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::error::FinetuneError;
use super::samples::{Chat, Samples};
use super::standing::{CHECKPOINT_FILE, Pulse, hold};
use super::training::Training;
use crate::inference::embedded;
use crate::inference::embedded::tune::{self, Job, Point, Progress, Sample};

/// How often a run tells others where it stands.
const PULSE: Duration = Duration::from_secs(2);

/// How an adapter was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adapted {
    /// The settings.
    pub config: tune::Config,
    /// Steps made.
    pub steps: usize,
    /// How the loss fell.
    pub curve: Vec<Point>,
    /// The xxh3 of `adapter.gguf`, 128 bits in hexadecimal digits.
    pub adapter: String,
}

/// Trains an adapter and writes it to `dir` with what it says of itself; blocks meanwhile. What was begun in `dir` goes
/// on from its last checkpoint.
pub fn train(
    samples: &Samples,
    model: &embedded::Config,
    config: &tune::Config,
    dir: &Path,
    mut told: impl FnMut(&Progress) -> ControlFlow<()> + Send,
) -> Result<Training<Adapted>, FinetuneError> {
    let _held = hold(dir)?;
    let taught = |chats: &[Chat]| {
        let sample = |chat: &Chat| Sample { messages: chat.prompt.clone(), answer: chat.answer.clone() };
        chats.iter().map(sample).collect()
    };
    let job = Job {
        model: model.clone(),
        config: config.clone(),
        train: taught(&samples.train),
        validation: taught(&samples.validation),
        checkpoint: dir.join(CHECKPOINT_FILE),
    };
    let mut pulses = Pulses::default();
    let tuned = tune::tune(&job, |progress| {
        pulses.tell(progress, dir);
        told(progress)
    })?;
    tuned.write(&dir.join("adapter.gguf"))?;
    let adapter = format!("{:032x}", xxh3_128(&tuned.adapter));
    let how = Adapted { config: config.clone(), steps: tuned.steps, curve: tuned.curve, adapter };
    let training = Training::of(samples, format!("gguf:{}", tuned.base), how);
    training.write(dir)?;
    Ok(training)
}

/// Tells others where this run stands.
#[derive(Default)]
struct Pulses {
    /// The first step of this process.
    first: Option<usize>,
    last: Option<Instant>,
}

impl Pulses {
    fn tell(&mut self, progress: &Progress, dir: &Path) {
        let Progress { step, steps, loss, validation, tokens, elapsed, .. } = *progress;
        let first = *self.first.get_or_insert(step);
        // It may end with a look at the validation samples.
        if validation.is_none() && self.last.is_some_and(|last| last.elapsed() < PULSE) {
            return;
        }
        self.last = Some(Instant::now());
        let seconds = elapsed.as_secs_f64();
        let left_seconds = (seconds / (step + 1 - first) as f64 * (steps - step) as f64) as u64;
        let tokens_per_second = tokens as f64 / seconds.max(1e-3);
        let pulse = Pulse { at: Utc::now(), step, steps, loss, tokens_per_second, left_seconds };
        if let Err(error) = pulse.write(dir) {
            tracing::warn!(%error, "where training stands cannot be told to others");
        }
    }
}
