//! Asking a language model: over the network, in bulk, within a budget, and never twice.

mod answers;
mod batch;
mod bulk;
mod chat;
pub(crate) mod endpoint;

use futures::StreamExt;
use segue::ids::ClusterId;
use segue::inference::{Answer, Decoding, Message, Model, ModelError, Question, Role, Vocabulary};
use segue::taxonomy::Taxonomy;

/// The clusters 0 to 9, called `keyword <id>`.
fn taxonomy() -> Taxonomy {
    Taxonomy::new((0..10).map(|id| (ClusterId(id), format!("keyword {id}")))).unwrap()
}

fn vocabulary() -> Vocabulary {
    Vocabulary::new(&taxonomy()).unwrap()
}

fn free(samples: usize) -> Decoding {
    Decoding::Free { samples, temperature: 0.0, seed: 0, max_tokens: 16 }
}

/// Questions with the ids 0, 1, ... and these texts.
fn questions<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Question> {
    let message = |text: &str| vec![Message { role: Role::User, content: text.into() }];
    let texts = texts.into_iter().zip(0..);
    texts.map(|(text, id)| Question { id, messages: message(text), decoding: free(1) }).collect()
}

/// All that comes back, in order of id where there is one.
async fn ask(model: &impl Model, questions: Vec<Question>) -> Vec<Result<Answer, ModelError>> {
    let mut answers: Vec<_> = model.ask(futures::stream::iter(questions).boxed()).collect().await;
    answers.sort_by_key(|answer| match answer {
        Ok(answer) => Some(answer.id),
        Err(error) => error.question,
    });
    answers
}

fn text(answer: &Result<Answer, ModelError>) -> &str {
    &answer.as_ref().unwrap().candidates[0].text
}
