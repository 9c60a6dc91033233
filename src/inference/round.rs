//! One pass over questions: asked in the order that shares most, kept as they come.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;

use super::bulk::{Bulk, Missing};
use super::error::InferenceError;
use super::model::{Answer, Candidate, ModelError, Question, Usage};
use super::pace::{Pace, Progress};
use super::plan::Planned;

/// Answers are kept at least this often: what a kill can cost.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Answers held before they are kept.
const KEEP_MANY: usize = 1024;

impl Bulk {
    /// Asks `questions` once, neighbours sharing the longest prefix.
    pub(super) async fn round(
        &mut self,
        plan: &Arc<[Planned]>,
        mut questions: Vec<Missing>,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), InferenceError> {
        questions.sort_by(|a, b| plan[a.at].key.cmp(&plan[b.at].key));
        let questions: Arc<[Missing]> = questions.into();
        let mut answers = self.model.ask(self.stream(plan, &questions));
        let mut round = Round::new(&questions);
        let ended = loop {
            let Some(answer) = answers.next().await else { break Ok(()) };
            match answer {
                Ok(answer) => round.take(self, answer)?,
                Err(ModelError { question: Some(id), problem }) => round.fail(self, id, &problem),
                Err(ModelError { question: None, problem }) => break Err(problem),
            }
            if round.pace.is_worth_telling() {
                progress(round.pace.progress(self.spent()));
            }
        };
        drop(answers);
        progress(round.pace.progress(self.spent()));
        let answered = round.finish(self)?;
        ended.map_err(|problem| InferenceError::Model { model: self.model.id().to_owned(), answered, problem })
    }

    /// Keeps what earlier runs asked for and did not live to take; returns how many answers that were.
    pub(super) async fn collect(&mut self) -> Result<u64, InferenceError> {
        let (mut left, mut answered) = (self.model.left_over(), 0);
        while let Some(answers) = left.next().await {
            let answers = answers.map_err(|ModelError { problem, .. }| InferenceError::Model {
                model: self.model.id().to_owned(),
                answered,
                problem,
            })?;
            self.answers.keep(&answers)?;
            answered += answers.len() as u64;
        }
        Ok(answered)
    }

    /// The questions as the model takes them: rendered when they are wanted, until the budget is used up.
    fn stream(&self, plan: &Arc<[Planned]>, questions: &Arc<[Missing]>) -> BoxStream<'static, Question> {
        let (plan, questions) = (Arc::clone(plan), Arc::clone(questions));
        let (prompts, budget) = (Arc::clone(&self.prompts), Arc::clone(&self.budget));
        let wanted = (0..questions.len()).map_while(move |id| {
            let Missing { at, decoding, estimate, .. } = questions[id];
            let admitted = budget.lock().unwrap_or_else(PoisonError::into_inner).admit(estimate);
            let Planned { key, context } = &plan[at];
            // It was rendered before, to learn that it is missing.
            let messages = prompts.render(key, context).ok()?;
            admitted.then_some(Question { id: id as u64, messages, decoding })
        });
        futures::stream::iter(wanted).boxed()
    }
}

/// One pass over questions.
struct Round {
    questions: Arc<[Missing]>,
    ended: Vec<bool>,
    fresh: Vec<(u128, Vec<Candidate>)>,
    kept: Instant,
    answered: u64,
    pace: Pace,
}

impl Round {
    fn new(questions: &Arc<[Missing]>) -> Self {
        let total = questions.len();
        Self {
            questions: Arc::clone(questions),
            ended: vec![false; total],
            fresh: Vec::new(),
            kept: Instant::now(),
            answered: 0,
            pace: Pace::new(total as u64),
        }
    }

    /// The question of an id, the first time that it ends.
    fn end(&mut self, bulk: &Bulk, id: u64, usage: Usage) -> Option<Missing> {
        let at = usize::try_from(id).ok()?;
        let question = *self.questions.get(at)?;
        if std::mem::replace(&mut self.ended[at], true) {
            return None;
        }
        bulk.budget().settle(question.estimate, usage);
        self.pace.step();
        Some(question)
    }

    fn take(&mut self, bulk: &Bulk, answer: Answer) -> Result<(), InferenceError> {
        let Some(question) = self.end(bulk, answer.id, answer.usage) else { return Ok(()) };
        self.answered += 1;
        self.fresh.push((question.key, answer.candidates));
        if self.fresh.len() >= KEEP_MANY || self.kept.elapsed() >= KEEP_EVERY {
            self.keep(bulk)?;
        }
        Ok(())
    }

    fn fail(&mut self, bulk: &mut Bulk, id: u64, problem: &str) {
        if let Some(question) = self.end(bulk, id, Usage::default()) {
            tracing::warn!(problem, "one question was not answered; its key keeps its own successors");
            bulk.failed.insert(question.key);
        }
    }

    fn keep(&mut self, bulk: &Bulk) -> Result<(), InferenceError> {
        if !self.fresh.is_empty() {
            bulk.answers.keep(&self.fresh)?;
            self.fresh.clear();
        }
        self.kept = Instant::now();
        Ok(())
    }

    /// Keeps the rest. What neither ended nor could be sent is over the budget; the rest the model forgot.
    fn finish(mut self, bulk: &mut Bulk) -> Result<u64, InferenceError> {
        self.keep(bulk)?;
        if let Some(pace) = self.pace.per_second().filter(|_| self.answered > 0) {
            bulk.answers.set_pace(bulk.model.id(), pace)?;
        }
        let refused = bulk.budget().refused();
        let open = self.questions.iter().zip(&self.ended).filter(|(_, ended)| !**ended);
        for (question, _) in open {
            if refused { &mut bulk.left_out } else { &mut bulk.failed }.insert(question.key);
        }
        Ok(self.answered)
    }
}
