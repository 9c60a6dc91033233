//! The JSON lines of batches: a request each, an answer each, in files that anyone's offline runner can answer too.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::Config;
use super::wire;
use crate::inference::error::InferenceError;
use crate::inference::model::{Candidate, Question, Usage};
use crate::inference::vocabulary::Vocabulary;

/// The longest line that is read.
const MAX_LINE: u64 = 16 << 20;

/// One request's line, without its end. `key` names the question, as kept answers do.
pub(super) fn request(config: &Config, names: &[String], key: u128, question: &Question) -> String {
    json!({
        "custom_id": custom_id(key),
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": wire::request(config, names, question),
    })
    .to_string()
}

/// What one line answers.
pub(super) struct Answered {
    /// The question's name.
    pub(super) key: u128,
    /// What was said, or why nothing was.
    pub(super) said: Result<(Vec<Candidate>, Usage), String>,
}

/// Reads one line of answers or errors.
pub(super) fn answer(config: &Config, line: &[u8]) -> Result<Answered, String> {
    #[derive(Deserialize)]
    struct Line {
        custom_id: String,
        response: Option<Response>,
        error: Option<Value>,
    }
    #[derive(Deserialize)]
    struct Response {
        status_code: Option<u16>,
        body: Value,
    }
    let Line { custom_id, response, error } =
        serde_json::from_slice(line).map_err(|error| format!("it is no line of batch answers ({error})"))?;
    let no_key = || format!("custom_id = `{custom_id}` was not made here");
    let key = custom_id.strip_prefix(PREFIX).and_then(|digits| u128::from_str_radix(digits, 16).ok());
    let said = match response {
        Some(Response { status_code: None | Some(200), body }) => wire::answer(config, body.to_string().as_bytes()),
        Some(Response { status_code: Some(status), body }) => Err(format!("answered with {status}: {body}")),
        None => Err(format!("not answered: {}", error.unwrap_or_default())),
    };
    Ok(Answered { key: key.ok_or_else(no_key)?, said })
}

const PREFIX: &str = "segue-";

fn custom_id(key: u128) -> String {
    format!("{PREFIX}{key:032x}")
}

/// Writes the questions, each with its name, for someone else to answer.
pub fn write_questions(
    mut out: impl Write,
    config: &Config,
    vocabulary: &Vocabulary,
    questions: &[(u128, Question)],
) -> std::io::Result<()> {
    for (key, question) in questions {
        writeln!(out, "{}", request(config, vocabulary.names(), *key, question))?;
    }
    out.flush()
}

/// What a file of answers held.
#[derive(Debug, Default)]
pub struct Imported {
    /// Answers, by the name of their question.
    pub answers: Vec<(u128, Vec<Candidate>)>,
    /// Lines that told of an error instead.
    pub failed: u64,
}

/// Reads the answers that someone else wrote.
pub fn read_answers(path: &Path, config: &Config) -> Result<Imported, InferenceError> {
    let wrong = |line, problem| InferenceError::BatchFile { path: path.to_owned(), line, problem };
    let file = std::fs::File::open(path).map_err(|error| wrong(None, format!("cannot be read: {error}")))?;
    let mut reader = BufReader::new(file);
    let mut imported = Imported::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = std::io::Read::take(&mut reader, MAX_LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| wrong(Some(number), format!("cannot be read: {error}")))? {
            0 => break,
            long if long as u64 == MAX_LINE => {
                return Err(wrong(Some(number), format!("is longer than {MAX_LINE} bytes")));
            }
            _ if line.trim_ascii().is_empty() => continue,
            _ => {}
        }
        let Answered { key, said } = answer(config, &line).map_err(|problem| wrong(Some(number), problem))?;
        match said {
            Ok((candidates, _)) => imported.answers.push((key, candidates)),
            Err(problem) => {
                tracing::warn!(line = number, problem, "one question of the batch was not answered");
                imported.failed += 1;
            }
        }
    }
    Ok(imported)
}
