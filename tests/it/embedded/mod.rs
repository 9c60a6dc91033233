//! The model in the process: a tiny one made here, whose every number is known, and the real default one.

mod fetching;
mod names;
mod prompts;
mod real;
pub(crate) mod tiny;
mod tuning;

use futures::StreamExt;
use segue::inference::embedded::{Config, Embedded};
use segue::inference::{Answer, Decoding, Message, Model, ModelError, Question, Role};

const GREEDY: Decoding = Decoding::Free { samples: 1, temperature: 0.0, seed: 0, max_tokens: 12 };

fn question(id: u64, content: &str, decoding: Decoding) -> Question {
    Question { id, messages: vec![Message { role: Role::User, content: content.into() }], decoding }
}

/// Asks all at once; answers by id.
fn ask(model: &Embedded, questions: Vec<Question>) -> Vec<Result<Answer, ModelError>> {
    let stream = model.ask(futures::stream::iter(questions).boxed());
    let mut answers: Vec<_> = futures::executor::block_on(stream.collect());
    answers.sort_by_key(|answer| answer.as_ref().map_or_else(|error| error.question, |answer| Some(answer.id)));
    answers
}

/// Asks each question alone, so that nothing is shared.
fn ask_alone(model: &Embedded, questions: &[Question]) -> Vec<Answer> {
    questions.iter().map(|question| ask(model, vec![question.clone()]).remove(0).unwrap()).collect()
}

fn texts(answer: &Answer) -> Vec<&str> {
    answer.candidates.iter().map(|candidate| candidate.text.as_str()).collect()
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The sum of what a model says of its candidates.
fn whole(answer: &Answer) -> f64 {
    answer.candidates.iter().map(|candidate| candidate.probability.unwrap()).sum()
}

/// The default model, or `None` where it cannot be fetched: then a test says so and ends.
fn real(names: &[&str]) -> Option<Embedded> {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    match Embedded::load(&Config { cache: Some(cache), ..Config::default() }, strings(names)) {
        Ok(model) => Some(model),
        Err(segue::inference::embedded::LoadError::Fetch(error)) => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
