//! The course of training: steps, looks at the validation samples, checkpoints, the end.

use std::ops::ControlFlow;
use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::Xxh3;

use super::batch::{Batch, Encoded};
use super::checkpoint::Training;
use super::lora::{Gradients, Lora};
use super::pass::Network;
use super::{Config, Job, Point, Progress, Sample, TuneError, Tuned, file};
use crate::inference::embedded::chat::Chat;
use crate::inference::embedded::fetch::Fetched;
use crate::inference::embedded::llama::Llama;
use crate::inference::embedded::tokens::Tokens;
use crate::inference::embedded::weights::Weights;

/// A run in progress.
struct Run<'r> {
    config: &'r Config,
    network: Network<'r>,
    train: Vec<Encoded>,
    /// Sorted by their tokens.
    validation: Vec<Encoded>,
    training: Training,
    /// Tokens of the samples, and how many of them were computed.
    tokens: (usize, usize),
}

pub(super) fn run(
    job: &Job,
    base: Fetched,
    told: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Tuned, TuneError> {
    let mut weights = Weights::open(&base.path, None)?;
    let llama = Llama::load(&mut weights)?;
    let tokens = Tokens::read(&weights.base, llama.shape.vocabulary)?;
    let chat = Chat::read(&weights.base)?;
    let encode = |split, samples| encode(split, samples, &chat, &tokens, llama.shape.context);
    let train = encode("training", &job.train)?;
    let mut validation = encode("validation", &job.validation)?;
    let name = name(job, &base.sha256, &train, &validation)?;
    validation.sort_unstable_by(|one, other| one.tokens.cmp(&other.tokens));
    let lora = Lora::new(&job.config, &llama.shape, llama.device())?;
    let network = Network::new(&llama, &lora);
    let mut training = Training::new(name, lora);
    training.resume(&job.checkpoint)?;
    let mut run = Run { config: &job.config, network, train, validation, training, tokens: (0, 0) };
    run.go(job, told)?;
    let Training { place, lora, best, .. } = run.training;
    let adapter = file::adapter(&lora.names, &best, job.config.alpha)?;
    Ok(Tuned { base: base.sha256, curve: place.curve, steps: place.step, adapter })
}

impl Run<'_> {
    fn go(&mut self, job: &Job, told: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<(), TuneError> {
        let in_epoch = self.train.len().div_ceil(self.config.batch);
        let steps = in_epoch.saturating_mul(self.config.epochs);
        if self.training.place.curve.is_empty() {
            self.look()?;
        }
        let began = Instant::now();
        let mut order = (usize::MAX, Vec::new());
        while self.training.place.step < steps && self.training.place.in_vain < self.config.patience {
            let (epoch, at) = (self.training.place.step / in_epoch, self.training.place.step % in_epoch);
            if order.0 != epoch {
                order = (epoch, shuffled(self.train.len(), self.config.seed, epoch));
            }
            let chosen = order.1.chunks(self.config.batch).nth(at).unwrap_or_default();
            let loss = self.step(chosen, steps)?;
            let step = self.training.place.step;
            let looks = step.is_multiple_of(self.config.evaluate_every) || step == steps;
            let validation = if looks { Some(self.look()?) } else { None };
            let over = step == steps || self.training.place.in_vain >= self.config.patience;
            if over || step.is_multiple_of(self.config.checkpoint_every) {
                self.training.save(&job.checkpoint)?;
            }
            let (tokens, computed) = self.tokens;
            let progress = Progress { step, steps, loss, validation, tokens, computed, elapsed: began.elapsed() };
            if told(&progress).is_break() && !over {
                return Err(TuneError::Stopped { step });
            }
        }
        Ok(())
    }

    /// Learns from the samples of these numbers; returns the mean loss of an answer token.
    fn step(&mut self, chosen: &[usize], steps: usize) -> Result<f32, TuneError> {
        let mut samples: Vec<Encoded> = chosen.iter().map(|&at| self.train[at].clone()).collect();
        samples.sort_unstable_by(|one, other| one.tokens.cmp(&other.tokens));
        let answers: usize = samples.iter().map(Encoded::answer).sum();
        let Training { place, lora, adam, .. } = &mut self.training;
        let (mut gradients, mut sum, mut rest) = (Gradients::none(lora), 0.0, samples.as_slice());
        while !rest.is_empty() {
            let batch;
            (batch, rest) = Batch::cut(rest, self.config.rows);
            sum += self.network.learn(&batch, lora, 1.0 / answers as f32, &mut gradients)?;
            self.tokens.0 += batch.whole;
            self.tokens.1 += batch.tokens.len();
        }
        let (step, loss) = (place.step + 1, sum / answers as f64);
        if !loss.is_finite() {
            return Err(TuneError::Diverged { step, loss });
        }
        adam.step(lora, gradients, self.config, step, steps)?;
        place.step = step;
        place.losses.push(loss as f32);
        Ok(loss as f32)
    }

    /// The mean loss of the validation samples' answer tokens. What has the smallest is kept.
    fn look(&mut self) -> Result<f32, TuneError> {
        let Training { place, lora, best, .. } = &mut self.training;
        let (mut sum, mut rest) = (0.0, self.validation.as_slice());
        while !rest.is_empty() {
            let batch;
            (batch, rest) = Batch::cut(rest, self.config.rows);
            sum += self.network.loss(&batch, lora)?;
        }
        let validation = (sum / self.validation.iter().map(Encoded::answer).sum::<usize>() as f64) as f32;
        let count = place.losses.len();
        let train = (count > 0).then(|| place.losses.iter().sum::<f32>() / count as f32);
        let lowest = place.curve.iter().map(|point| point.validation).fold(f32::INFINITY, f32::min);
        if validation < lowest {
            (place.in_vain, *best) = (0, lora.tensors.clone());
        } else {
            place.in_vain += 1;
        }
        place.losses.clear();
        place.curve.push(Point { step: place.step, train, validation });
        Ok(validation)
    }
}

/// The order of one epoch.
fn shuffled(count: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    chance.set_stream(epoch as u64 + 1);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut chance);
    order
}

fn encode(
    split: &'static str,
    samples: &[Sample],
    chat: &Chat,
    tokens: &Tokens,
    context: usize,
) -> Result<Vec<Encoded>, TuneError> {
    let one = |sample: &Sample| {
        let mut all = chat.tokens(&sample.messages, tokens)?;
        let prompt = all.len();
        if prompt == 0 {
            return Err("the prompt is empty".into());
        }
        all.extend(tokens.encode(&sample.answer)?);
        all.push(tokens.ends()[0]);
        match all.len() {
            len if len > context => Err(format!("{len} tokens do not fit the model's {context}: shorten the prompt")),
            _ => Ok(Encoded { tokens: all, prompt }),
        }
    };
    let named = |(number, sample)| one(sample).map_err(|problem| TuneError::Sample { split, number, problem });
    (1..).zip(samples).map(named).collect()
}

/// Names all that decides what comes out.
fn name(job: &Job, base: &str, train: &[Encoded], validation: &[Encoded]) -> Result<String, TuneError> {
    let mut hasher = Xxh3::new();
    hasher.update(base.as_bytes());
    let config = serde_json::to_vec(&job.config).map_err(|error| TuneError::checkpoint(&job.checkpoint, error))?;
    hasher.update(&config);
    for sample in train.iter().chain(validation) {
        for number in [sample.prompt as u32, sample.tokens.len() as u32].iter().chain(&sample.tokens) {
            hasher.update(&number.to_le_bytes());
        }
    }
    Ok(format!("{:032x}", hasher.digest128()))
}
