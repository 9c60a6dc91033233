//! Everything that was measured of one candidate.

use serde::{Deserialize, Serialize};

use super::{Answers, Churn, Collapse, Coverage, Estimate, ExactMatch, Fallbacks, Input, Recall};

/// The figures; `None` where there was nothing to measure: no model was asked, no user is held out, nothing is live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Unconstrained answers that are a description.
    pub exact_match: Option<ExactMatch>,
    /// Held-out users that come to what is predicted for them.
    pub recall: Option<Recall>,
    /// Of a language model's table: the recall of the first one that came of the same model. Handed on from table to table,
    /// since stores forget old ones; none of the first itself.
    pub first_recall: Option<Estimate>,
    /// How varied the answers are.
    pub collapse: Option<Collapse>,
    /// The newest days of the log.
    pub input: Option<Input>,
    /// Questions that find a key.
    pub coverage: Option<Coverage>,
    /// Keys that changed.
    pub churn: Option<Churn>,
    /// Keys without a usable answer.
    pub fallbacks: Option<Fallbacks>,
}

impl Report {
    /// With the figures of a bulk run.
    #[must_use]
    pub fn with_answers(self, answers: &Answers) -> Self {
        let exact_match = Some(answers.exact_match()).filter(|figure| figure.asked > 0);
        let fallbacks = Some(answers.fallbacks()).filter(|figure| figure.asked > 0);
        let collapse = Some(answers.collapse()).filter(|figure| figure.keys > 0);
        Self { exact_match, collapse, fallbacks, ..self }
    }
}
