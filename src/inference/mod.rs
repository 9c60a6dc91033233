//! Asking a language model for every key, in bulk and offline (section 2.3).

mod model;

pub use model::{Answer, Candidate, Decoding, Message, Model, ModelError, Question, Role, Usage};
