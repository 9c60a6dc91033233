//! Explain: why each row is what it is, kept beside the table.

use std::cmp::Reverse;

use super::ask::Answered;
use crate::ids::ClusterId;
use crate::inference::{Ended, Trace};
use crate::refresh::error::RefreshError;
use crate::retrieval;
use crate::store::{ExplainWriter, Explanation, Successor};
use crate::table::Candidate;

/// Writes explanations: of what was counted, and where a model was asked, of what it was shown and said.
pub(super) struct Explain<'a> {
    writer: ExplainWriter,
    answered: Option<&'a Answered>,
}

impl<'a> Explain<'a> {
    pub(super) fn new(writer: ExplainWriter, answered: Option<&'a Answered>) -> Self {
        Self { writer, answered }
    }

    /// Adds a key's, which must come in the order of keys.
    pub(super) fn push(
        &mut self,
        key: &[ClusterId],
        seen: u64,
        next: Vec<(ClusterId, u64)>,
        row: Vec<Candidate>,
        width: usize,
    ) -> Result<(), RefreshError> {
        let traced = self.answered.map_or(Ok(None), |answered| answered.trace(key))?;
        let told = match traced {
            Some((shown, trace)) => Explanation { retrieved: shown, ..told(&trace) },
            // Without a model, what was retrieved predicts.
            None => {
                let retrieved = retrieval::row(key, &[], &next, width);
                let retrieved = retrieved.iter().map(|candidate| candidate.cluster).collect();
                Explanation { retrieved, ..Explanation::default() }
            }
        };
        let successors = by_count(next);
        Ok(self.writer.push(Explanation { key: key.to_vec(), seen, successors, row, ..told })?)
    }

    pub(super) fn finish(self) -> Result<(), RefreshError> {
        Ok(self.writer.finish()?)
    }
}

/// What the model was asked, what it said each time, and what that came to.
fn told(trace: &Trace) -> Explanation {
    let prompt: Vec<_> = trace.messages.iter().map(|message| message.content.as_str()).collect();
    let said = trace.said.iter().map(|candidates| {
        let texts: Vec<_> = candidates.iter().map(|candidate| candidate.text.as_str()).collect();
        texts.join(" | ")
    });
    let said: Vec<_> = said.collect();
    let parsed = match &trace.ended {
        Ended::Answered(clusters) => {
            let ids: Vec<_> = clusters.iter().map(|(cluster, _)| cluster.to_string()).collect();
            format!("clusters {}", ids.join(", "))
        }
        Ended::Fallback => "no cluster of use: the successors stand in".to_owned(),
        Ended::Failed => "not answered: asking ended in an error".to_owned(),
        Ended::LeftOut => "not asked".to_owned(),
    };
    let answer = (!said.is_empty()).then(|| said.join("\n"));
    Explanation { prompt: Some(prompt.join("\n\n")), answer, parsed: Some(parsed), ..Explanation::default() }
}

/// The most frequent first, ties by id.
fn by_count(next: Vec<(ClusterId, u64)>) -> Vec<Successor> {
    let mut successors: Vec<_> = next.into_iter().map(|(cluster, count)| Successor { cluster, count }).collect();
    successors.sort_unstable_by_key(|successor| (Reverse(successor.count), successor.cluster));
    successors
}
