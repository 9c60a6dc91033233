//! The one narrow door to a language model.

use futures::StreamExt;
use futures::stream::BoxStream;

/// One turn of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Whose turn it is.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The instruction.
    System,
    /// The question.
    User,
}

/// What a model is asked: a rendered prompt and how its answer is drawn.
#[derive(Clone, Debug)]
pub struct Question {
    /// Comes back with the answer.
    pub id: u64,
    /// The prompt, in order.
    pub messages: Vec<Message>,
    /// How the answer is drawn.
    pub decoding: Decoding,
}

/// How an answer is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decoding {
    /// Only descriptions of the vocabulary can come out: the best `best`, with their probabilities.
    Constrained {
        /// Candidates wanted.
        best: usize,
    },
    /// Whatever the model says.
    Free {
        /// Answers drawn.
        samples: usize,
        /// 0 is greedy.
        temperature: f32,
        /// Makes what is drawn repeatable, where the model can.
        seed: u64,
        /// The longest answer.
        max_tokens: usize,
    },
}

/// What came back for one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The question's.
    pub id: u64,
    /// In the model's order of preference.
    pub candidates: Vec<Candidate>,
    /// What it took.
    pub usage: Usage,
}

/// One answer's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// As the model said it.
    pub text: String,
    /// 0 to 1, where the model tells.
    pub probability: Option<f64>,
}

/// Tokens of one question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt, computed.
    pub prompt: u64,
    /// Of the prompt, shared with an earlier one.
    pub shared: u64,
    /// Of the answer.
    pub answer: u64,
}

/// Something that answers questions in bulk, in any order, each once. Dropping the stream ends the work.
pub trait Model: Send + Sync {
    /// Names the weights (and adapter) exactly: part of every stored answer's key and of the lineage.
    fn id(&self) -> &str;

    /// Asks. Neighbours among `questions` share the longest prefix.
    fn ask(&self, questions: BoxStream<'static, Question>) -> BoxStream<'static, Result<Answer, ModelError>>;

    /// What earlier runs have asked and did not live to take. Once the next of these is wanted, those before are kept: the
    /// model forgets them.
    fn left_over(&self) -> BoxStream<'static, Result<Vec<Kept>, ModelError>> {
        futures::stream::empty().boxed()
    }
}

/// The name under which a question's answer is kept ([`question_key`](super::answers::question_key)), and the answer.
pub type Kept = (u128, Vec<Candidate>);

/// One question failed (`question` says which: the run goes on) or the model did (`None`: the run stops).
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct ModelError {
    /// The question's id.
    pub question: Option<u64>,
    /// What happened, where, and what to do.
    pub problem: String,
}
