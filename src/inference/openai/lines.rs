//! The JSON lines of batches: a request each, an answer each, in files that anyone's offline runner can answer too.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::Config;
use super::http::quoted;
use super::wire;
use crate::inference::error::InferenceError;
use crate::inference::model::{Candidate, Question, Usage};
use crate::inference::vocabulary::Vocabulary;

/// The longest line that is read.
const MAX_LINE: u64 = 16 << 20;
/// Imported answers held before they are kept.
const KEPT_AT_ONCE: usize = 1024;

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
        Some(Response { status_code: Some(status), body }) => {
            Err(format!("answered with {status}: {}", quoted(&body.to_string())))
        }
        None => Err(format!("not answered: {}", quoted(&error.unwrap_or_default().to_string()))),
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

/// The lines of a file by their number, from 1, without the empty ones. A line that is too long is told without its bytes;
/// one that cannot be read is the last.
pub(super) fn all(file: File) -> impl Iterator<Item = (u64, Result<Vec<u8>, String>)> {
    let (mut reader, mut number, mut broken) = (BufReader::new(file), 0, false);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        loop {
            if broken {
                return None;
            }
            line.clear();
            number += 1;
            let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line);
            return match read {
                Ok(0) => None,
                Ok(long) if long as u64 == MAX_LINE && line.last() != Some(&b'\n') => {
                    let skipped = reader.skip_until(b'\n');
                    let problem = skipped.map_or_else(unread, |_| format!("is longer than {MAX_LINE} bytes"));
                    Some((number, Err(problem)))
                }
                Ok(_) if line.trim_ascii().is_empty() => continue,
                Ok(_) => Some((number, Ok(line))),
                Err(error) => {
                    broken = true;
                    Some((number, Err(unread(error))))
                }
            };
        }
    })
}

fn unread(error: io::Error) -> String {
    format!("cannot be read: {error}")
}

/// What a file of answers held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that told of an answer.
    pub answered: u64,
    /// Lines that told of an error instead.
    pub failed: u64,
}

/// Hands the answers that someone else wrote to `keep`, some at a time, by the name of their question. The first line
/// that is none stops it; those before it are kept.
pub fn read_answers(
    path: &Path,
    config: &Config,
    mut keep: impl FnMut(&[(u128, Vec<Candidate>)]) -> Result<(), InferenceError>,
) -> Result<Imported, InferenceError> {
    let wrong = |line, problem| InferenceError::BatchFile { path: path.to_owned(), line, problem };
    let file = File::open(path).map_err(|error| wrong(None, unread(error)))?;
    let (mut imported, mut fresh) = (Imported::default(), Vec::new());
    for (number, line) in all(file) {
        let Answered { key, said } = match line.and_then(|line| answer(config, &line)) {
            Ok(answered) => answered,
            Err(problem) => {
                keep(&fresh)?;
                return Err(wrong(Some(number), problem));
            }
        };
        match said {
            Ok((candidates, _)) => {
                imported.answered += 1;
                fresh.push((key, candidates));
            }
            Err(problem) => {
                tracing::warn!(line = number, problem, "one question of the batch was not answered");
                imported.failed += 1;
            }
        }
        if fresh.len() == KEPT_AT_ONCE {
            keep(&fresh)?;
            fresh.clear();
        }
    }
    keep(&fresh)?;
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;

    #[test]
    fn a_line_that_is_too_long_costs_itself_alone() {
        let mut file = tempfile::tempfile().unwrap();
        let long = vec![b'x'; MAX_LINE as usize + 3];
        for part in [b"one\n\n".as_slice(), &long, b"\n  \ntwo\n", &long[3..], b"\nthree"] {
            file.write_all(part).unwrap();
        }
        file.rewind().unwrap();
        let told = |line: Result<Vec<u8>, String>| line.map(|line| String::from_utf8(line).unwrap());
        let lines: Vec<_> = all(file).map(|(number, line)| (number, told(line))).collect();
        let long = || Err(format!("is longer than {MAX_LINE} bytes"));
        let fine = |text: &str| Ok(text.to_owned());
        assert_eq!(lines, [(1, fine("one\n")), (3, long()), (5, fine("two\n")), (6, long()), (7, fine("three"))]);
    }
}
