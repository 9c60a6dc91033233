//! Overlap (section 3.1): how many keys two versions answer alike.

use serde::{Deserialize, Serialize};

use super::interval::Estimate;
use crate::ids::ClusterId;
use crate::table::{Entry, Source, Table};

/// Two versions beside each other, over the longest keys that both can hold.
///
/// An answer is a row's first prediction. Where a version has answers of a language model, its keys without one fell back
/// to what was retrieved; they are counted, and not compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// Keys that both answer.
    pub keys: u64,
    /// Those with the same answer.
    pub identical: u64,
    /// Keys that only the first answers.
    pub only_first: u64,
    /// Keys that only the second answers.
    pub only_second: u64,
    /// Keys that both hold and that at least one of two asked models left to what was retrieved.
    pub fell_back: u64,
}

/// Where a version's answers come from, seen from what its prompts showed and from another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Keys that both answer and whose context is known.
    pub keys: u64,
    /// Answers that the prompt had shown as recent successors.
    pub context: u64,
    /// Answers that neither the prompt had shown nor the other version gives.
    pub new: u64,
}

/// A version's answers to its longest keys.
pub struct FirstAnswers<'t, B> {
    table: &'t Table<B>,
    /// Whether a language model was asked.
    asked: bool,
}

impl<'t, B: AsRef<[u8]>> FirstAnswers<'t, B> {
    /// The answers to keys of `key_len`.
    pub fn of(table: &'t Table<B>, key_len: usize) -> Self {
        let is_llm = |entry: Option<Entry>| entry.is_some_and(|entry| entry.source == Source::Llm);
        let asked = table.iter(key_len).any(|(_, row)| is_llm(row.entries().next()));
        Self { table, asked }
    }

    /// Whether a language model gave them.
    pub fn is_of_a_model(&self) -> bool {
        self.asked
    }

    /// The answer to a key; `None` where it has no row, or fell back.
    pub fn get(&self, key: &[ClusterId]) -> Option<ClusterId> {
        self.answer(self.first(key)?)
    }

    fn first(&self, key: &[ClusterId]) -> Option<Entry> {
        let key: Option<Vec<u32>> = key.iter().map(|&cluster| self.table.index_of(cluster)).collect();
        self.table.find(&key?)?.entries().next()
    }

    fn answer(&self, first: Entry) -> Option<ClusterId> {
        (!self.asked || first.source == Source::Llm).then(|| self.table.cluster_id(first.index))
    }
}

impl Overlap {
    /// Compares two tables.
    pub fn of<A: AsRef<[u8]>, B: AsRef<[u8]>>(first: &Table<A>, second: &Table<B>) -> Self {
        let key_len = first.k().min(second.k());
        let (first, second) = (FirstAnswers::of(first, key_len), FirstAnswers::of(second, key_len));
        let mut overlap = Self::default();
        for (key, row) in first.table.iter(key_len) {
            let Some(here) = row.entries().next() else { continue };
            let Some(there) = second.first(&key) else {
                overlap.only_first += 1;
                continue;
            };
            match (first.answer(here), second.answer(there)) {
                (Some(here), Some(there)) => {
                    overlap.keys += 1;
                    overlap.identical += u64::from(here == there);
                }
                _ => overlap.fell_back += 1,
            }
        }
        let strange = second.table.iter(key_len).filter(|(key, _)| first.first(key).is_none());
        overlap.only_second = strange.count() as u64;
        overlap
    }

    /// The share of identical answers; `None` where no key is answered by both.
    pub fn share(&self) -> Option<Estimate> {
        Estimate::share(self.identical, self.keys)
    }
}

impl Origin {
    /// Takes a key whose prompt showed `context`, with both versions' answers.
    pub fn take(&mut self, context: &[ClusterId], answer: ClusterId, other: ClusterId) {
        let shown = context.contains(&answer);
        self.keys += 1;
        self.context += u64::from(shown);
        self.new += u64::from(!shown && answer != other);
    }
}
