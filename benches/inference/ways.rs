//! The three ways to ask.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;
use segue::inference::embedded::{Config, Embedded};
use segue::inference::{Model, Question, Usage};

use crate::args::Args;
use crate::{Outcome, world};

/// The same model, to be asked one at a time and many at once.
pub(crate) struct Ways {
    names: Vec<String>,
    one: Embedded,
    many: Embedded,
}

/// What one way did in one round.
#[derive(Default)]
pub(crate) struct Told {
    took: Duration,
    pub(crate) usage: Usage,
    /// By key, each the first candidate.
    pub(crate) answers: Vec<String>,
}

impl Ways {
    pub(crate) fn load(args: &Args) -> Outcome<Self> {
        let names = world::names(args.clusters);
        let many = Config { model: args.model.clone(), ..Config::default() };
        let one = Config { batch: NonZeroUsize::MIN, ..many.clone() };
        let load = |config: &Config| Embedded::load(config, names.clone());
        Ok(Self { one: load(&one)?, many: load(&many)?, names })
    }

    /// Naive, shared, grouped; each comes first as often.
    pub(crate) fn round(&self, round: u64, args: &Args) -> Outcome<[Told; 3]> {
        let questions = world::questions(&self.names, round, args.keys, args.best);
        let mut told = [Told::default(), Told::default(), Told::default()];
        for n in 0..3 {
            let way = (n + round as usize) % 3;
            told[way] = match way {
                0 => naive(&self.one, &questions),
                1 => asked(&self.one, mixed(&questions)),
                _ => asked(&self.many, questions.clone()),
            }?;
        }
        Ok(told)
    }
}

/// Neighbours have different first clusters.
fn mixed(questions: &[Question]) -> Vec<Question> {
    let half = questions.len().div_ceil(2);
    let (front, back) = questions.split_at(half);
    let mut mixed: Vec<Question> = Vec::new();
    for n in 0..half {
        mixed.extend(front.get(n).into_iter().chain(back.get(n)).cloned());
    }
    mixed
}

fn naive(model: &Embedded, questions: &[Question]) -> Outcome<Told> {
    let alone = questions.iter().map(|question| asked(model, vec![question.clone()]));
    Ok(Told::sum(&alone.collect::<Outcome<Vec<_>>>()?))
}

fn asked(model: &Embedded, questions: Vec<Question>) -> Outcome<Told> {
    let began = Instant::now();
    let answers: Vec<_> = block_on(model.ask(futures::stream::iter(questions).boxed()).collect());
    let took = began.elapsed();
    let mut answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    answers.sort_by_key(|answer| answer.id);
    let mut told = Told { took, ..Told::default() };
    for answer in answers {
        told.usage = sum(told.usage, answer.usage);
        told.answers.push(answer.candidates.into_iter().next().ok_or("a key has no answer")?.text);
    }
    Ok(told)
}

impl Told {
    pub(crate) fn sum<'t>(all: impl IntoIterator<Item = &'t Self>) -> Self {
        let add = |one: Self, other: &Self| Self {
            took: one.took + other.took,
            usage: sum(one.usage, other.usage),
            answers: [one.answers, other.answers.clone()].concat(),
        };
        all.into_iter().fold(Self::default(), add)
    }

    /// Keys per second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers.len() as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn per_key(&self, tokens: u64) -> f64 {
        tokens as f64 / self.answers.len() as f64
    }
}

fn sum(one: Usage, other: Usage) -> Usage {
    Usage { prompt: one.prompt + other.prompt, shared: one.shared + other.shared, answer: one.answer + other.answer }
}
