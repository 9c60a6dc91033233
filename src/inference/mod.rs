//! Asking a language model for every key, in bulk and offline (section 2.3): which keys, with which prompt, what it may
//! take, and what the answers say.
//!
//! A [`Model`] answers questions and knows nothing else; [`Bulk`] asks them, keeps what comes back, and tells a plain
//! [`Run`] that others judge and build a table from. It reads no log and publishes nothing.

#[cfg(feature = "refresher")]
mod answers;
#[cfg(feature = "refresher")]
mod backend;
#[cfg(feature = "refresher")]
mod budget;
#[cfg(feature = "refresher")]
mod bulk;
#[cfg(feature = "refresher")]
mod config;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "refresher")]
mod error;
mod http;
mod model;
#[cfg(feature = "refresher")]
pub mod openai;
#[cfg(feature = "refresher")]
mod outcome;
#[cfg(feature = "refresher")]
mod pace;
#[cfg(feature = "refresher")]
mod parse;
#[cfg(feature = "refresher")]
mod plan;
#[cfg(feature = "refresher")]
pub mod prompt;
#[cfg(feature = "refresher")]
mod round;
#[cfg(feature = "refresher")]
mod run;
#[cfg(feature = "refresher")]
mod vocabulary;

pub use model::{Answer, Candidate, Decoding, Kept, Message, Model, ModelError, Question, Role, Usage};
#[cfg(feature = "refresher")]
pub use {
    answers::{Answers, Swept, question_key},
    backend::model_of,
    budget::{Estimate, Forecast, Spent, tokens},
    bulk::{Bulk, Purpose},
    config::{Backend, BudgetConfig, Choice, Config, DecodingConfig, Keys},
    error::InferenceError,
    pace::Progress,
    parse::{Parsed, parse},
    plan::{Observed, Planned},
    prompt::Prompts,
    run::{Ended, Run, Tally, Trace, Unconstrained},
    vocabulary::Vocabulary,
};
