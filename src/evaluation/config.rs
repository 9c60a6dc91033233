//! `[evaluation]`: who is held out, and what each gate lets through.

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
use super::gates::{ChurnGate, CollapseGate, CoverageGate, ExactMatchGate, FallbacksGate, InputGate, RecallGate};
use crate::interactions::{self, HeldOut};

/// What a candidate must be like to go live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The users that judge and are not counted when judging.
    pub held_out: HeldOut,
    /// The share of unconstrained answers that are a cluster's description (section 2.2).
    pub exact_match: ExactMatchGate,
    /// How often a held-out user does come to the predicted cluster (section 2.2).
    pub recall: RecallGate,
    /// Whether the answers are many, or a few said again and again.
    pub collapse: CollapseGate,
    /// Whether the newest days of the log are all there.
    pub input: InputGate,
    /// How many questions find a key of their own.
    pub coverage: CoverageGate,
    /// How many keys changed their first prediction.
    pub churn: ChurnGate,
    /// How many keys had to do without the model's answer.
    pub fallbacks: FallbacksGate,
    /// What the adaptive policy weighs.
    pub cadence: Cadence,
}

/// A threshold that no figure can be measured by.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A share outside 0 to 1, or a factor below it.
    #[error("[evaluation.{gate}] {field} = {value}: {problem}")]
    Threshold {
        /// The gate.
        gate: &'static str,
        /// Its key.
        field: &'static str,
        /// What it says.
        value: f64,
        /// What it should say.
        problem: &'static str,
    },
    /// Held-out users that cannot be told from others.
    #[error(transparent)]
    HeldOut(#[from] interactions::Error),
}

impl Config {
    /// Refuses thresholds that no figure can be measured by.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.held_out.check()?;
        let Self { collapse, input, coverage, .. } = self;
        let shares = [
            ("exact_match", "min", self.exact_match.min),
            ("recall", "min", self.recall.min),
            ("collapse", "min_distinct", collapse.min_distinct),
            ("collapse", "max_largest", collapse.max_largest),
            ("collapse", "max_popular", collapse.max_popular),
            ("collapse", "max_own", collapse.max_own),
            ("input", "min", input.min),
            ("coverage", "min_matched", coverage.min_matched),
            ("coverage", "min_keys", coverage.min_keys),
            ("churn", "max", self.churn.max),
            ("fallbacks", "max", self.fallbacks.max),
        ];
        let wrong = |(gate, field, value), problem| Err(ConfigError::Threshold { gate, field, value, problem });
        if let Some(&share) = shares.iter().find(|(.., value)| !(0.0..=1.0).contains(value)) {
            return wrong(share, "a share is from 0 to 1");
        }
        if input.max.is_nan() || input.max < 1.0 {
            return wrong(("input", "max", input.max), "a day with as much as the median must pass: give 1 or more");
        }
        match self.cadence.problem() {
            Some((field, value, problem)) => wrong(("cadence", field, value), problem),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_default_is_the_papers_and_survives_a_round_trip() {
        let default = Config::default();
        assert_eq!(config("{}").unwrap(), default);
        assert_eq!(config(&serde_json::to_string(&default).unwrap()).unwrap(), default);
        assert_eq!((default.exact_match.min, default.exact_match.first, default.recall.min), (0.9, 1000, 0.015));
        assert!(default.check().is_ok());
    }

    #[test]
    fn thresholds_that_measure_nothing_are_refused() {
        for (json, says) in [
            (r#"{"recall": {"min": 1.5}}"#, "[evaluation.recall] min = 1.5"),
            (r#"{"input": {"max": 0.5}}"#, "[evaluation.input] max = 0.5"),
            (r#"{"held_out": {"share": 0.9}}"#, "[evaluation.held_out] share"),
        ] {
            let error = config(json).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(config(r#"{"recall": {"severity": "never"}}"#).is_err());
        assert!(config(r#"{"recal": {}}"#).is_err());
    }
}
