//! What a bulk run came to: plain values, for whoever judges it.

use std::collections::BTreeMap;
use std::fmt;

use super::budget::Spent;
use super::model::{Candidate, Message};
use super::parse::Parsed;
use crate::ids::ClusterId;
use crate::table;

/// A bulk run as its answers tell it, whether they came now or were known: the same answers make the same run, but for
/// what was `spent`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The model's id.
    pub model: String,
    /// The hash of the prompt's template.
    pub prompt_hash: String,
    /// The keys' predictions, best first, source `llm`; keys without any are absent.
    pub answers: BTreeMap<Vec<ClusterId>, Vec<table::Candidate>>,
    /// What each key that was asked was answered with first, its own clusters included; `None` where it fell back.
    pub firsts: Vec<(Vec<ClusterId>, Option<ClusterId>)>,
    /// How it went, by key.
    pub tally: Tally,
    /// Unconstrained answers to first questions, against which the model is judged: the whole run's, or where decoding
    /// is constrained a sample's.
    pub unconstrained: Unconstrained,
    /// The questions whose answers it rests on, by the names under which they are kept.
    pub used: Vec<u128>,
    /// What this run took.
    pub spent: Spent,
}

impl Run {
    /// Keys that another run may still get an answer for.
    pub fn unanswered(&self) -> u64 {
        self.tally.failed + self.tally.left_out
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { planned, answered, fallbacks, failed, left_out, .. } = self.tally;
        let Unconstrained { answers, exact, .. } = self.unconstrained;
        write!(
            f,
            "{answered} of {planned} keys answered, {fallbacks} fell back, {failed} failed, {left_out} left out"
        )?;
        write!(f, "; {exact} of {answers} unconstrained answers match exactly; ")?;
        let Spent { questions, usage, cost } = self.spent;
        write!(f, "{questions} questions, {} + {} tokens", usage.prompt + usage.shared, usage.answer)?;
        if cost > 0.0 { write!(f, " for {cost:.2}") } else { Ok(()) }
    }
}

/// Keys by how they ended. `planned = answered + fallbacks + failed + left_out`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Keys that were to be asked for.
    pub planned: u64,
    /// Keys with at least one usable answer.
    pub answered: u64,
    /// Keys asked more than once.
    pub asked_again: u64,
    /// Keys that never got a usable answer: their own successors stand in.
    pub fallbacks: u64,
    /// Keys whose question ended in an error.
    pub failed: u64,
    /// Keys that were not asked for, because of the budget or because nothing was to be asked.
    pub left_out: u64,
}

/// Unconstrained answers (section 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unconstrained {
    /// All of them.
    pub answers: u64,
    /// Those that, trimmed, equal one description.
    pub exact: u64,
    /// Of these, those that name a cluster of the key itself.
    pub own: u64,
}

impl Unconstrained {
    pub(super) fn add(&mut self, parsed: &Parsed) {
        self.answers += parsed.said;
        self.exact += parsed.exact;
        self.own += parsed.own;
    }
}

/// All that is known of one key, to explain its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The prompt.
    pub messages: Vec<Message>,
    /// What the model said, one list each time it was asked.
    pub said: Vec<Vec<Candidate>>,
    /// What it said first.
    pub first: Parsed,
    /// What all of it came to.
    pub ended: Ended,
}

/// How a key ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With clusters, best first.
    Answered(Vec<(ClusterId, Option<f64>)>),
    /// Without, as often as it was asked.
    Fallback,
    /// With an error.
    Failed,
    /// Not asked: because of the budget, or because nothing was to be asked.
    LeftOut,
}
