//! Any endpoint that speaks OpenAI's API: one question a request, or many through files and batches.
//!
//! Five calls are made (`chat/completions`, `files`, `files/{id}/content`, `batches`, `batches/{id}`), and of what comes
//! back only the fields in use are read, because compatible servers leave others out.

mod batch;
mod chat;
mod config;
mod http;
mod limit;
mod lines;
mod wire;

pub use batch::Batches;
pub use chat::Chat;
pub use config::{Config, Constraint};
pub use lines::{Imported, read_answers, write_questions};
