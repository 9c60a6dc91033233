//! Why there is no answer to be had at all.

use std::path::PathBuf;

use crate::ids::ClusterId;

/// An inference that stopped. What was answered until then is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferenceError {
    /// A value that cannot be.
    #[error("inference.{field} = {value}: {problem}")]
    Config {
        /// The key.
        field: &'static str,
        /// What it says.
        value: String,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// Two clusters that an answer could not tell apart.
    #[error("clusters {first} and {second} are both shown as `{name}` in a prompt: give one of them another keyword")]
    SameName {
        /// The first.
        first: ClusterId,
        /// The second.
        second: ClusterId,
        /// What both are called.
        name: String,
    },
    /// A template's file.
    #[error("{path}, the template of inference.prompt.{name}, cannot be read: {source}")]
    TemplateFile {
        /// Which template.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A template that is wrong.
    #[error("the template `{name}` cannot be used: {problem}")]
    Template {
        /// Which template.
        name: &'static str,
        /// What is wrong, and where.
        problem: String,
    },
    /// The back end cannot be had.
    #[error("inference.backend = \"{backend}\": {problem}")]
    Backend {
        /// Its name.
        backend: &'static str,
        /// Why, and what to do.
        problem: String,
    },
    /// The model gave up.
    #[error("the model {model} stopped after {answered} answers, which are kept: {problem}")]
    Model {
        /// Its id.
        model: String,
        /// Answers that came before.
        answered: u64,
        /// What happened, and what to do.
        problem: String,
    },
    /// The store of answers.
    #[error("{path}, which keeps the model's answers, {problem}")]
    Answers {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The store of answers is in use.
    #[error("{path}, which keeps the model's answers, is open in another process: wait until that has ended")]
    AnswersBusy {
        /// The file.
        path: PathBuf,
    },
    /// A file of batch lines.
    #[error("{path}{}: {problem}", line.map(|line| format!(" line {line}")).unwrap_or_default())]
    BatchFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: Option<u64>,
        /// What is wrong, and what to do.
        problem: String,
    },
}
