//! What the answers known so far make of one key.

use super::answers::{Snapshot, question_key};
use super::bulk::{Bulk, Purpose};
use super::config::DecodingConfig;
use super::error::InferenceError;
use super::model::{Candidate, Decoding, Message};
use super::parse::{Parsed, parse};
use super::plan::Planned;

/// One key's state by the answers known.
pub(super) struct Known {
    pub(super) messages: Vec<Message>,
    pub(super) said: Vec<Vec<Candidate>>,
    /// The questions that were answered so.
    pub(super) used: Vec<u128>,
    pub(super) first: Parsed,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    Answered(Parsed),
    Fallback,
    /// The next question, not answered yet.
    Missing(u128, Decoding),
}

impl Bulk {
    /// Reads the answers to a key's questions, one after the other, until one is of use or not known.
    pub(super) fn known(
        &self,
        snapshot: &Snapshot<'_>,
        planned: &Planned,
        purpose: Purpose,
    ) -> Result<Known, InferenceError> {
        let Planned { key, context } = planned;
        let vocabulary = self.prompts.vocabulary();
        let messages = self.prompts.render(key, context)?;
        let (mut said, mut used, mut first) = (Vec::new(), Vec::new(), Parsed::default());
        let mut outcome = Outcome::Fallback;
        for decoding in decodings(&self.config.decoding, purpose, key.len()) {
            let question = question_key(self.model.id(), &messages, decoding, vocabulary.hash());
            let Some(candidates) = snapshot.get(question)? else {
                outcome = Outcome::Missing(question, decoding);
                break;
            };
            let parsed = parse(vocabulary, key, &candidates);
            if said.is_empty() {
                first = parsed.clone();
            }
            said.push(candidates);
            used.push(question);
            if !parsed.clusters.is_empty() {
                outcome = Outcome::Answered(parsed);
                break;
            }
        }
        Ok(Known { messages, said, used, first, outcome })
    }
}

/// How far the seeds of a key's attempts lie apart: had they been neighbours, a run with the next seed would find this run's
/// retries among the kept answers and repeat them. Small, since servers take seeds of 32 bits.
const APART: u64 = 1_000_003;

/// The ways in which a key is asked, one after the other, until an answer is of use.
fn decodings(config: &DecodingConfig, purpose: Purpose, k: usize) -> Vec<Decoding> {
    let DecodingConfig { answers, seed, max_tokens, retries, .. } = *config;
    if config.constrained && purpose == Purpose::Table {
        // The key's own clusters may come out too.
        return vec![Decoding::Constrained { best: answers + k }];
    }
    let samples = if config.constrained { 1 } else { answers };
    let seeded = |attempt: u64| seed.wrapping_add(attempt.wrapping_mul(APART));
    let free = |attempt, temperature| Decoding::Free { samples, temperature, seed: seeded(attempt), max_tokens };
    let retries = if purpose == Purpose::Table { retries } else { 0 };
    let again = (1..=retries).map(|attempt| free(attempt, config.retry_temperature));
    [free(0, config.temperature)].into_iter().chain(again).collect()
}
