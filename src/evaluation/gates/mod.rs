//! The gates (section 2.2): a report in, a verdict with its reasons out.

mod answers;
mod config;
mod data;

use std::fmt;

use chrono::Utc;
use serde::{Deserialize, Serialize};

pub use config::{
    ChurnGate, CollapseGate, CoverageGate, ExactMatchGate, FallbacksGate, InputGate, RecallGate, Severity,
};

use super::{Config, ExactMatch, Report};
use crate::store;
use Found::{Outside, Unknown, Within};

/// What one gate came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Within its bounds.
    Pass,
    /// Outside them, which is only told.
    Warn,
    /// Outside them, which holds the candidate.
    Fail,
    /// Nothing could be measured, or the gate is off.
    Skip,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        })
    }
}

/// What one gate found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The gate, as in the config.
    pub gate: String,
    /// What it came to.
    pub outcome: Outcome,
    /// The figure, the threshold, and what to do.
    pub says: String,
}

/// Whether a candidate may go live, gate by gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// One finding a gate.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether any gate holds the candidate.
    pub fn holds(&self) -> bool {
        self.findings.iter().any(|finding| finding.outcome == Outcome::Fail)
    }

    /// The reasons: what failed or, where nothing did, what was warned of; empty where all is well.
    pub fn reasons(&self) -> String {
        let worst = if self.holds() { Outcome::Fail } else { Outcome::Warn };
        let reasons = self.findings.iter().filter(|finding| finding.outcome == worst);
        reasons.map(|finding| format!("{}: {}", finding.gate, finding.says)).collect::<Vec<_>>().join("; ")
    }

    /// The verdict as it is kept beside what `report` was measured of, with the state that comes of it.
    pub fn judgement<S>(&self, report: &Report, who: &str, passed: S, held: S) -> store::Judgement<S> {
        let said = self.reasons();
        let finding = |finding: &Finding| store::Finding {
            gate: finding.gate.clone(),
            outcome: finding.outcome.to_string(),
            says: finding.says.clone(),
        };
        store::Judgement {
            seq: 1,
            state: if self.holds() { held } else { passed },
            who: who.to_owned(),
            at: Utc::now(),
            why: if said.is_empty() { "no gate objects".into() } else { said },
            findings: self.findings.iter().map(finding).collect(),
            report: serde_json::to_value(report).unwrap_or_default(),
        }
    }
}

impl Verdict {
    /// Whether a model was held for what was not measured of it ([`judge_model`]).
    pub fn is_unmeasured(&self) -> bool {
        self.findings.iter().any(|finding| finding.outcome == Outcome::Fail && finding.says.ends_with(UNMEASURED))
    }
}

/// What a figure is beside its threshold.
enum Found {
    Within(String),
    Outside(String),
    Unknown(String),
}

/// Looks at one figure.
type Gate = fn(&Report, &Config) -> Found;

/// The gates that look at a model, whatever table comes of it.
fn of_model(config: &Config) -> [(&'static str, Severity, Gate); 3] {
    [
        ("exact_match", config.exact_match.severity, |report, config| answers::exact_match(report.exact_match, config)),
        ("recall", config.recall.severity, data::recall),
        ("collapse", config.collapse.severity, answers::collapse),
    ]
}

/// Those that look at a table too.
fn of_table(config: &Config) -> [(&'static str, Severity, Gate); 4] {
    [
        ("input", config.input.severity, data::input),
        ("coverage", config.coverage.severity, data::coverage),
        ("churn", config.churn.severity, data::churn),
        ("fallbacks", config.fallbacks.severity, answers::fallbacks),
    ]
}

/// Judges a candidate by all gates.
pub fn judge(report: &Report, config: &Config) -> Verdict {
    let gates = of_model(config).into_iter().chain(of_table(config));
    let findings = gates.map(|(gate, severity, ask)| finding(gate, severity, || ask(report, config)));
    Verdict { findings: findings.collect() }
}

/// Judges a tuned model by the paper's two checks and by collapse. What could not be measured counts against it: a table is
/// judged again with each refresh, a model but once.
pub fn judge_model(report: &Report, config: &Config) -> Verdict {
    let demanded = |found| match found {
        Unknown(says) => Outside(format!("{says}; {UNMEASURED}")),
        measured => measured,
    };
    let findings =
        of_model(config).map(|(gate, severity, ask)| finding(gate, severity, || demanded(ask(report, config))));
    Verdict { findings: findings.into() }
}

/// What to do for a model that nothing measured.
const UNMEASURED: &str = "a model that this was not measured of is not approved unseen: widen [finetune] window, or raise \
                          finetune.watched or evaluation.held_out.share, then curate and tune again; or approve it by \
                          hand";

/// Judges the first unconstrained answers by themselves, before the rest is paid for.
pub fn judge_first(answers: ExactMatch, config: &Config) -> Finding {
    finding("exact_match", config.exact_match.severity, || answers::exact_match(Some(answers), config))
}

fn finding(gate: &str, severity: Severity, ask: impl FnOnce() -> Found) -> Finding {
    let found = if severity.is_on() { ask() } else { Unknown("the gate is off".to_owned()) };
    let (outcome, says) = match (found, severity) {
        (Within(says), _) => (Outcome::Pass, says),
        (Outside(says), Severity::Fail) => (Outcome::Fail, says),
        (Outside(says), _) => (Outcome::Warn, says),
        (Unknown(says), _) => (Outcome::Skip, says),
    };
    Finding { gate: gate.to_owned(), outcome, says }
}

fn of(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn share(part: u64, whole: u64) -> String {
    percent(of(part, whole))
}

/// With three digits, so that a figure just outside its threshold does not read like it.
fn percent(share: f64) -> String {
    if share < 0.1 { format!("{:.2} %", 100.0 * share) } else { format!("{:.1} %", 100.0 * share) }
}
