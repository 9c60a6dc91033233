//! Asking a language model for every key, in bulk and offline (section 2.3): which keys, with which prompt, what it may
//! take, and what the answers say.
//!
//! A [`Model`] answers questions and knows nothing else; [`Bulk`] asks them, keeps what comes back, and tells a plain
//! [`Run`] that others judge and build a table from. It reads no log and publishes nothing.

mod answers;
mod backend;
mod budget;
mod bulk;
mod config;
mod error;
mod model;
pub mod openai;
mod outcome;
mod pace;
mod parse;
mod plan;
pub mod prompt;
mod round;
mod run;
mod vocabulary;

pub use answers::{Answers, question_key};
pub use backend::model_of;
pub use budget::{Estimate, Forecast, Spent};
pub use bulk::{Bulk, Purpose};
pub use config::{Backend, BudgetConfig, Config, DecodingConfig, Keys};
pub use error::InferenceError;
pub use model::{Answer, Candidate, Decoding, Message, Model, ModelError, Question, Role, Usage};
pub use pace::Progress;
pub use parse::{Parsed, parse};
pub use plan::{Observed, Planned};
pub use prompt::Prompts;
pub use run::{Ended, Run, Tally, Trace, Unconstrained};
pub use vocabulary::Vocabulary;
