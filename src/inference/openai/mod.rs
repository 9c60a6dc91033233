//! Any endpoint that speaks OpenAI's API: one question a request, or many through files and batches.
//!
//! The calls are `chat/completions`; `files`, `files/{id}/content`, `batches`, `batches/{id}`; `fine_tuning/jobs` with
//! `{id}`, `{id}/events` and `{id}/cancel`. Of what comes back only the fields in use are read, because compatible servers
//! leave others out.

mod batch;
mod chat;
mod config;
mod files;
mod http;
mod job;
mod jobs;
mod limit;
mod lines;
mod notes;
mod orders;
mod spool;
mod wire;

pub use batch::Batches;
pub use chat::Chat;
pub use config::{Config, Constraint};
pub use job::{Job, JobEvent, JobProblem, JobStatus, JobStep};
pub use jobs::{JobError, Jobs, Order};
pub use lines::{Imported, read_answers, write_questions};
