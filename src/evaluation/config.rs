//! `[evaluation]`: who is held out, and what each gate lets through.

use serde::{Deserialize, Serialize};

use super::cadence::Cadence;
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

/// What becomes of a candidate that a gate finds wanting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is held.
    Fail,
    /// It is told, and goes live.
    Warn,
    /// The gate is not asked, and what only it needs is not measured.
    Off,
}

impl Severity {
    /// Whether the gate is asked.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }
}

/// `[evaluation.exact_match]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExactMatchGate {
    /// What becomes of a candidate below `min`.
    pub severity: Severity,
    /// The least rate, 0 to 1.
    pub min: f64,
    /// So many answers are judged by themselves, before the rest is paid for.
    pub first: u64,
}

/// `[evaluation.recall]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecallGate {
    /// What becomes of a candidate below `min`, or not clear of random.
    pub severity: Severity,
    /// The least recall, 0 to 1.
    pub min: f64,
    /// With fewer held-out positions nothing can be said.
    pub min_positions: u64,
}

/// `[evaluation.collapse]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollapseGate {
    /// What becomes of a candidate outside any bound.
    pub severity: Severity,
    /// With fewer keys asked nothing can be said.
    pub min_keys: u64,
    /// The least number of distinct answers, as a share of as many as there could be: keys asked, or clusters.
    pub min_distinct: f64,
    /// The most that one answer may take of all.
    pub max_largest: f64,
    /// The most that the most popular novel cluster may take of all.
    pub max_popular: f64,
    /// The most that clusters of the key itself may take of all.
    pub max_own: f64,
}

/// `[evaluation.input]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputGate {
    /// What becomes of a candidate from a log with a day outside the bounds.
    pub severity: Severity,
    /// The least that a day may have of its trailing median.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// With a smaller median nothing can be said.
    pub min_positives: u64,
}

/// `[evaluation.coverage]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoverageGate {
    /// What becomes of a candidate below either bound.
    pub severity: Severity,
    /// The least share of held-out positions that find a key of any length.
    pub min_matched: f64,
    /// The least number of keys, as a share of the live version's.
    pub min_keys: f64,
    /// With fewer held-out positions nothing can be said of `min_matched`.
    pub min_positions: u64,
}

/// `[evaluation.churn]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChurnGate {
    /// What becomes of a candidate above `max`. Fresh behaviour is meant to change predictions (section 3.1), hence the
    /// warning.
    pub severity: Severity,
    /// The largest share of the live version's keys whose first prediction may change or go.
    pub max: f64,
}

/// `[evaluation.fallbacks]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FallbacksGate {
    /// What becomes of a candidate above `max`.
    pub severity: Severity,
    /// The largest share of keys asked that may fall back to what was retrieved.
    pub max: f64,
}

impl Default for ExactMatchGate {
    fn default() -> Self {
        Self { severity: Severity::Fail, min: 0.9, first: 1000 }
    }
}

impl Default for RecallGate {
    fn default() -> Self {
        Self { severity: Severity::Fail, min: 0.015, min_positions: 200 }
    }
}

impl Default for CollapseGate {
    fn default() -> Self {
        let (min_distinct, max_largest, max_popular, max_own) = (0.1, 0.3, 0.5, 0.05);
        Self { severity: Severity::Fail, min_keys: 100, min_distinct, max_largest, max_popular, max_own }
    }
}

impl Default for InputGate {
    fn default() -> Self {
        Self { severity: Severity::Fail, min: 0.5, max: 4.0, min_positives: 100 }
    }
}

impl Default for CoverageGate {
    fn default() -> Self {
        Self { severity: Severity::Fail, min_matched: 0.5, min_keys: 0.5, min_positions: 200 }
    }
}

impl Default for ChurnGate {
    fn default() -> Self {
        Self { severity: Severity::Warn, max: 0.9 }
    }
}

impl Default for FallbacksGate {
    fn default() -> Self {
        Self { severity: Severity::Fail, max: 0.1 }
    }
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
