//! Any number of questions, cut into calls that a server takes.

use std::iter::Peekable;

use super::config::Config;
use crate::proto::LookupRequest;

/// One call's questions.
pub(super) struct Part {
    /// The place of the first among all questions.
    pub(super) first: usize,
    pub(super) lookups: Vec<LookupRequest>,
}

/// Cuts as late as the limits allow. A question that is too large by itself goes alone, for the server to refuse.
pub(super) struct Parts<I: Iterator> {
    questions: Peekable<I>,
    taken: usize,
    max_batch: usize,
    max_message: u64,
}

impl<I: Iterator<Item = LookupRequest>> Parts<I> {
    pub(super) fn new(questions: I, config: &Config) -> Self {
        let (max_batch, max_message) = (config.max_batch.get(), config.max_message.0);
        Self { questions: questions.peekable(), taken: 0, max_batch, max_message }
    }
}

impl<I: Iterator<Item = LookupRequest>> Iterator for Parts<I> {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let (mut lookups, mut bytes) = (Vec::new(), 0);
        while lookups.len() < self.max_batch
            && let Some(question) = self.questions.peek()
        {
            bytes += prost::encoding::message::encoded_len(1, question) as u64;
            if bytes > self.max_message && !lookups.is_empty() {
                break;
            }
            lookups.extend(self.questions.next());
        }
        let first = self.taken;
        self.taken += lookups.len();
        (!lookups.is_empty()).then_some(Part { first, lookups })
    }
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    /// The places of the parts of `count` questions of ten bytes each, and two around each.
    fn parts(count: usize, max_batch: usize, max_message: u64) -> Vec<(usize, usize)> {
        let config = Config {
            max_batch: max_batch.try_into().unwrap(),
            max_message: ByteSize(max_message),
            ..Config::default()
        };
        let question = LookupRequest { history: vec![1; 8], ..Default::default() };
        let parts = Parts::new(std::iter::repeat_n(question, count), &config);
        parts.map(|part| (part.first, part.lookups.len())).collect()
    }

    #[test]
    fn parts_are_as_large_as_allowed_and_leave_nothing_out() {
        assert_eq!(parts(0, 4, 1000), []);
        assert_eq!(parts(4, 4, 1000), [(0, 4)]);
        assert_eq!(parts(9, 4, 1000), [(0, 4), (4, 4), (8, 1)]);
        assert_eq!(parts(5, 4, 24), [(0, 2), (2, 2), (4, 1)]);
        assert_eq!(parts(5, 4, 35), [(0, 2), (2, 2), (4, 1)]);
        assert_eq!(parts(2, 4, 5), [(0, 1), (1, 1)]);
    }
}
