//! Requests encoded before anything is measured: the generator only copies them.

use std::iter;

use prost::Message;
use segue::proto::BatchLookupResponse;

use crate::rows::Call;
use crate::servers::redis;
use crate::world::{BATCH, Pair, World};

/// Lookups in a pool, alone or in batches: more than a processor's cache has room for the rows of.
const SINGLES: usize = 1 << 18;
const BATCHED: usize = 1 << 22;

/// Many encoded requests, back to back.
pub(crate) struct Pool {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The length of every answer's message or reply.
    pub(super) answer: usize,
    /// The longest request's length.
    pub(super) longest: usize,
}

impl Pool {
    pub(crate) fn new(call: Call, world: World) -> Self {
        let mut pairs = world.random_pairs();
        let mut batch = || pairs.by_ref().take(BATCH).collect::<Vec<Pair>>();
        // A small table is not asked more than it has rows.
        let (singles, batches) = (SINGLES.min(world.rows()), BATCHED.min(world.rows()).div_ceil(BATCH));
        let single = world.answer(world.any_pair());
        match call {
            Call::Unary | Call::Stream => {
                let questions = world.random_pairs().map(|pair| framed(&world.question(pair)));
                Self::of(questions.take(singles), single.encoded_len())
            }
            Call::Unit => {
                let questions = world.random_pairs().zip(0..).map(|(pair, at)| framed(&world.question_of(pair, at)));
                Self::of(questions.take(singles), world.answer_to_unit(world.any_pair()).encoded_len())
            }
            Call::Batch => {
                let questions = iter::repeat_with(|| framed(&world.questions(&batch())));
                let answers = BatchLookupResponse { results: vec![single; BATCH] };
                Self::of(questions.take(batches), answers.encoded_len())
            }
            Call::Get => {
                let questions = world.random_pairs().map(redis::get);
                Self::of(questions.take(singles), redis::bulk_len(single.encoded_len()))
            }
            Call::Mget => {
                let questions = iter::repeat_with(|| redis::mget(&batch()));
                let reply = redis::array_len(BATCH, redis::bulk_len(single.encoded_len()));
                Self::of(questions.take(batches), reply)
            }
        }
    }

    fn of(requests: impl Iterator<Item = Vec<u8>>, answer: usize) -> Self {
        let mut pool = Self { bytes: Vec::new(), ends: Vec::new(), answer, longest: 0 };
        for request in requests {
            pool.longest = pool.longest.max(request.len());
            pool.bytes.extend_from_slice(&request);
            pool.ends.push(pool.bytes.len());
        }
        pool
    }

    /// The request at `at`, counted round and round.
    pub(super) fn get(&self, at: usize) -> &[u8] {
        let at = at % self.ends.len();
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[at]]
    }

    /// Where the `share`-th of `shares` askers begins, so that they ask different things.
    pub(super) fn start(&self, share: usize, shares: usize) -> usize {
        self.ends.len() / shares * share
    }
}

/// A message as gRPC frames it: not compressed, its length, itself.
fn framed(message: &impl Message) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend((message.encoded_len() as u32).to_be_bytes());
    framed.extend(message.encode_to_vec());
    framed
}
