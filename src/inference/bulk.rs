//! Bulk inference (section 2.3): what is not known yet is asked, and kept as it comes.
//!
//! All state is the store of answers. A key's outcome follows from the answers known to its questions, the first and
//! those asked again; asking goes on until every outcome is known, failed or over the budget. So a run that was killed
//! goes on where it was, and a run with nothing new asks nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answers::{Answers, Swept};
use super::budget::{Budget, Estimate, Forecast, Spent, longest};
use super::config::Config;
use super::error::InferenceError;
use super::model::{Decoding, Model, Question};
use super::outcome::{Known, Outcome};
use super::pace::Progress;
use super::parse::Parsed;
use super::plan::Planned;
use super::prompt::Prompts;
use super::run::{Ended, Run, Tally, Trace};
use crate::table::{self, Score, Source};

/// Why a key is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For the table.
    Table,
    /// Unconstrained and once, to see how often the model obeys.
    Sample,
}

/// A bulk run.
pub struct Bulk {
    pub(super) model: Arc<dyn Model>,
    pub(super) prompts: Arc<Prompts>,
    pub(super) answers: Answers,
    pub(super) config: Config,
    longest: u64,
    pub(super) budget: Arc<Mutex<Budget>>,
    /// Questions that ended in an error.
    pub(super) failed: HashSet<u128>,
    /// Questions over the budget.
    pub(super) left_out: HashSet<u128>,
    /// Whether earlier runs' answers were fetched.
    collected: bool,
}

/// A question whose answer is not known.
#[derive(Clone, Copy)]
pub(super) struct Missing {
    /// The place in the plan.
    pub(super) at: usize,
    pub(super) key: u128,
    pub(super) decoding: Decoding,
    pub(super) estimate: Estimate,
}

impl Bulk {
    /// A run of `model` with the prompts and the kept answers given.
    pub fn new(model: Arc<dyn Model>, prompts: Prompts, answers: Answers, config: Config) -> Self {
        let longest = longest(prompts.vocabulary().names());
        let budget = Arc::new(Mutex::new(Budget::new(config.budget)));
        let (failed, left_out) = (HashSet::new(), HashSet::new());
        let (prompts, collected) = (Arc::new(prompts), false);
        Self { model, prompts, answers, config, longest, budget, failed, left_out, collected }
    }

    /// The kept answers.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// What asking for `plan` is going to take, of which the first `sampled` keys are asked as samples too.
    pub fn forecast(&self, plan: &[Planned], sampled: usize) -> Result<Forecast, InferenceError> {
        let missing = self.missing(plan, Purpose::Table)?;
        // Where decoding is free, a sample is the first question of the table.
        let sampled = if self.config.decoding.constrained { sampled.min(plan.len()) } else { 0 };
        let samples = self.missing(&plan[..sampled], Purpose::Sample)?;
        let mut budget = self.budget().clone();
        let mut forecast = Forecast { keys: plan.len() as u64, ..Forecast::default() };
        forecast.known = forecast.keys - missing.len() as u64;
        for question in samples.iter().chain(&missing) {
            if budget.admit(question.estimate) {
                forecast.questions += 1;
                forecast.tokens.prompt += question.estimate.prompt;
                forecast.tokens.answer += question.estimate.answer;
            } else {
                forecast.left_out += 1;
            }
        }
        forecast.cost = budget.price(forecast.tokens.prompt, forecast.tokens.answer);
        let pace = self.answers.pace(self.model.id()).filter(|&pace| pace > 0.0);
        let seconds = pace.map(|pace| forecast.questions as f64 / pace);
        forecast.time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(forecast)
    }

    /// Asks all that is not known of `plan`, which is in the order in which its keys matter, within the budget. What
    /// fails is left unanswered; an error means that the model cannot go on at all.
    pub async fn ask(
        &mut self,
        plan: &Arc<[Planned]>,
        purpose: Purpose,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), InferenceError> {
        loop {
            let mut missing = self.missing(plan, purpose)?;
            if !missing.is_empty() && !std::mem::replace(&mut self.collected, true) && self.collect().await? > 0 {
                missing = self.missing(plan, purpose)?;
            }
            let questions = self.affordable(missing);
            if questions.is_empty() {
                return Ok(());
            }
            self.round(plan, questions, progress).await?;
        }
    }

    /// The questions that are not answered yet, with the names under which their answers are kept.
    pub fn unanswered(&self, plan: &[Planned]) -> Result<Vec<(u128, Question)>, InferenceError> {
        let missing = self.missing(plan, Purpose::Table)?;
        let question = |(id, missing): (u64, Missing)| {
            let Planned { key, context } = &plan[missing.at];
            let messages = self.prompts.render(key, context)?;
            Ok((missing.key, Question { id, messages, decoding: missing.decoding }))
        };
        let mut budget = self.budget().clone();
        let affordable = missing.into_iter().filter(|question| budget.admit(question.estimate));
        (0..).zip(affordable).map(question).collect()
    }

    /// What the answers known make of `plan`, of which the first `sampled` keys were asked as samples too.
    pub fn run(&self, plan: &[Planned], sampled: usize) -> Result<Run, InferenceError> {
        let snapshot = self.answers.snapshot()?;
        let mut run = Run {
            model: self.model.id().to_owned(),
            prompt_hash: self.prompts.hash(),
            spent: self.spent(),
            ..Run::default()
        };
        for planned in plan {
            let known = self.known(&snapshot, planned, Purpose::Table)?;
            self.count(&mut run.tally, &known);
            run.used.extend(&known.used);
            if !self.config.decoding.constrained {
                run.unconstrained.add(&known.first);
            }
            match known.outcome {
                Outcome::Answered(parsed) => {
                    run.firsts.push((planned.key.clone(), parsed.first));
                    run.answers.insert(planned.key.clone(), candidates(&parsed, self.config.decoding.answers));
                }
                Outcome::Fallback => run.firsts.push((planned.key.clone(), None)),
                Outcome::Missing(..) => {}
            }
        }
        if self.config.decoding.constrained {
            for planned in &plan[..sampled.min(plan.len())] {
                let known = self.known(&snapshot, planned, Purpose::Sample)?;
                run.unconstrained.add(&known.first);
                run.used.extend(&known.used);
            }
        }
        Ok(run)
    }

    /// Tells the store of answers which of them `run` rests on.
    pub fn rests_on(&self, run: &Run) -> Result<(), InferenceError> {
        self.answers.used(&run.used)
    }

    /// Removes the answers that have been of no use for longer than the config says.
    pub fn sweep(&mut self) -> Result<Swept, InferenceError> {
        self.answers.sweep(self.config.keep_answers, false)
    }

    /// What was taken so far.
    pub fn spent(&self) -> Spent {
        self.budget().spent()
    }

    /// All that is known of one key.
    pub fn trace(&self, planned: &Planned) -> Result<Trace, InferenceError> {
        let known = self.known(&self.answers.snapshot()?, planned, Purpose::Table)?;
        let Known { messages, said, first, outcome, .. } = known;
        let ended = match outcome {
            Outcome::Answered(parsed) => Ended::Answered(parsed.clusters),
            Outcome::Fallback => Ended::Fallback,
            Outcome::Missing(key, _) if self.failed.contains(&key) => Ended::Failed,
            Outcome::Missing(..) => Ended::LeftOut,
        };
        Ok(Trace { messages, said, first, ended })
    }

    fn count(&self, tally: &mut Tally, known: &Known) {
        tally.planned += 1;
        tally.asked_again += u64::from(known.said.len() > 1);
        match &known.outcome {
            Outcome::Answered(_) => tally.answered += 1,
            Outcome::Fallback => tally.fallbacks += 1,
            Outcome::Missing(key, _) if self.failed.contains(key) => tally.failed += 1,
            Outcome::Missing(..) => tally.left_out += 1,
        }
    }

    /// The next question of every key that has one and did not fail, in the order of `plan`.
    fn missing(&self, plan: &[Planned], purpose: Purpose) -> Result<Vec<Missing>, InferenceError> {
        let snapshot = self.answers.snapshot()?;
        let mut missing = Vec::new();
        for (at, planned) in plan.iter().enumerate() {
            let known = self.known(&snapshot, planned, purpose)?;
            if let Outcome::Missing(key, decoding) = known.outcome
                && !self.failed.contains(&key)
                && !self.left_out.contains(&key)
            {
                let estimate = Estimate::of(&known.messages, decoding, self.longest);
                missing.push(Missing { at, key, decoding, estimate });
            }
        }
        Ok(missing)
    }

    /// What the budget admits, the keys that matter most first. Prompts that are equal, as those of keys that are only
    /// told apart by what a template leaves out, are one question.
    fn affordable(&mut self, missing: Vec<Missing>) -> Vec<Missing> {
        let mut budget = self.budget().clone();
        let (mut seen, mut affordable) = (HashSet::new(), Vec::new());
        for question in missing {
            if !seen.insert(question.key) {
                continue;
            }
            if budget.admit(question.estimate) {
                affordable.push(question);
            } else {
                self.left_out.insert(question.key);
            }
        }
        affordable
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The predictions of one key.
fn candidates(parsed: &Parsed, wanted: usize) -> Vec<table::Candidate> {
    let candidate = |&(cluster, probability): &(_, Option<f64>)| table::Candidate {
        cluster,
        score: probability.map_or(Score::ONE, Score::of),
        source: Source::Llm,
    };
    parsed.clusters.iter().take(wanted).map(candidate).collect()
}
