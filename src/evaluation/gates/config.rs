//! What each gate lets through.

use serde::{Deserialize, Serialize};

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
    /// The most that clusters of the key itself may take of all unconstrained answers that name a cluster.
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
    /// The largest share of the live version's keys whose answer may change or go.
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
