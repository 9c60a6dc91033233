//! Why there is no answer.

use std::error::Error as _;
use std::ops::Range;
use std::time::Duration;

use tonic::{Code, Status};

/// Why a question was not answered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The config names no server.
    #[error("`{target}` cannot be asked: {problem}; write http://127.0.0.1:7071, or unix:/path/of/the/socket")]
    Target {
        /// As configured.
        target: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers there, or the connection breaks; trying again did not help.
    #[error(
        "no server answers at {target} ({}), tried {attempts}x: start `segue serve` there, or ask elsewhere",
        told(status)
    )]
    Unreachable {
        /// Who was asked.
        target: String,
        /// How often.
        attempts: u32,
        /// What came of it last.
        status: Status,
    },
    /// The server says that it cannot answer at the moment; trying again did not help.
    #[error("{target} cannot answer now, tried {attempts}x: {}", told(status))]
    Unavailable {
        /// Who was asked.
        target: String,
        /// How often.
        attempts: u32,
        /// What it said last, details included.
        status: Status,
    },
    /// Time was up, here or at the server.
    #[error("no answer within {}: allow more time, or see what keeps the server busy", humantime::format_duration(*.after))]
    Deadline {
        /// The time that there was.
        after: Duration,
    },
    /// The server answered with an error: the same call is not sent again.
    #[error("the server refused with {:?}: {}", status.code(), told(status))]
    Refused {
        /// What it said, details included.
        status: Status,
    },
    /// Fewer answers than questions, or more.
    #[error("{questions} questions had {answers} answers: the server is of another version; bring both to the same")]
    Miscounted {
        /// Questions of the call.
        questions: usize,
        /// Answers to it.
        answers: usize,
    },
    /// One of several questions, or the call that it went with, failed.
    #[error("{}: {error}", place(questions))]
    InBatch {
        /// The questions' places, counted from 0: one where the server names it, else those of the whole call.
        questions: Range<usize>,
        /// What went wrong.
        error: Box<Error>,
    },
}

impl Error {
    /// What a status that [`may_pass`] comes to when it did not.
    pub(super) fn lasting(target: &str, attempts: u32, status: Status) -> Self {
        let target = target.to_owned();
        if is_local(&status) {
            return Self::Unreachable { target, attempts, status };
        }
        Self::Unavailable { target, attempts, status }
    }

    /// Says which questions failed: those from `first` on, or the one of them that the server names.
    pub(super) fn in_batch(self, first: usize, count: usize) -> Self {
        let named = match &self {
            Self::Refused { status } => index_of(status.message()).filter(|index| *index < count),
            _ => None,
        };
        let questions = named.map_or(first..first + count, |index| first + index..first + index + 1);
        Self::InBatch { questions, error: Box::new(self) }
    }
}

/// How the server begins a message about one lookup of a batch.
const LOOKUPS: &str = "lookups[";

fn index_of(message: &str) -> Option<usize> {
    message.strip_prefix(LOOKUPS)?.split_once(']')?.0.parse().ok()
}

fn place(questions: &Range<usize>) -> String {
    match questions.len() {
        1 => format!("question {}", questions.start),
        _ => format!("questions {} to {}", questions.start, questions.end.saturating_sub(1)),
    }
}

/// What a status says, without its place in a call of ours, and with its innermost cause: tonic's own messages end
/// at "transport error".
fn told(status: &Status) -> String {
    let message = status.message();
    let message = index_of(message).and_then(|_| message.split_once("]: ")).map_or(message, |(_, rest)| rest);
    match causes(status).last().map(ToString::to_string) {
        Some(cause) if cause != message => format!("{message}: {cause}"),
        _ if message.is_empty() => format!("{:?}", status.code()),
        _ => message.to_owned(),
    }
}

/// What is behind a status, the innermost last. Only what the server did not say itself has any.
fn causes(status: &Status) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(status.source(), |&cause| cause.source())
}

/// Whether the same call may well be answered a moment later. Besides what the server calls so, that is every answer
/// that did not come through: a lookup changes nothing, so asking twice does no harm.
pub(super) fn may_pass(status: &Status) -> bool {
    status.code() == Code::Unavailable || is_local(status)
}

fn is_local(status: &Status) -> bool {
    status.source().is_some()
}

/// Whether time was up, as the server says or the channel.
pub(super) fn is_late(status: &Status) -> bool {
    status.code() == Code::DeadlineExceeded || causes(status).any(|cause| cause.is::<tonic::TimeoutExpired>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> Error {
        Error::Refused { status: Status::invalid_argument(message) }
    }

    #[test]
    fn a_failure_names_its_place_among_all_questions() {
        for (message, expected) in [
            ("lookups[3]: limit is 9", "question 259: the server refused with InvalidArgument: limit is 9"),
            (
                "the batch is too long",
                "questions 256 to 265: the server refused with InvalidArgument: the batch is too long",
            ),
            ("lookups[70]: never asked", "questions 256 to 265: the server refused with InvalidArgument: never asked"),
        ] {
            assert_eq!(refused(message).in_batch(256, 10).to_string(), expected);
        }
    }
}
