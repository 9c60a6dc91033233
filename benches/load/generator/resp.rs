//! Redis's protocol, for requests whose replies are all equally long.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::{Pool, Wire};
use crate::Outcome;

pub(super) struct Resp {
    pool: Rc<Pool>,
    next: usize,
    asked: VecDeque<Instant>,
    /// What every reply begins with, once the first has come.
    kind: Option<u8>,
}

impl Resp {
    pub(super) fn new(pool: Rc<Pool>, first: usize) -> Self {
        Self { pool, next: first, asked: VecDeque::new(), kind: None }
    }
}

impl Wire for Resp {
    fn open(&mut self, _: &mut Vec<u8>) {}

    fn ask(&mut self, due: Instant, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pool.get(self.next));
        self.next += 1;
        self.asked.push_back(due);
    }

    fn take(&mut self, input: &[u8], _: &mut Vec<u8>, answered: &mut Vec<Instant>) -> Outcome<usize> {
        let mut taken = 0;
        // A missing key or an error is of another length, so that what follows does not begin as a reply does.
        while let Some(&first) = input.get(taken) {
            if !matches!(first, b'$' | b'*') || *self.kind.get_or_insert(first) != first {
                return Err(format!("not a reply: {}", input[taken..].escape_ascii()).into());
            }
            if input.len() - taken < self.pool.answer {
                break;
            }
            taken += self.pool.answer;
            answered.push(self.asked.pop_front().ok_or("a reply to what was not asked")?);
        }
        Ok(taken)
    }
}
