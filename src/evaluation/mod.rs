//! What a candidate is worth, and whether it may go live (sections 2.2 and 3.1).
//!
//! Pure: values in, a [`Report`] out, and a [`Verdict`] with its reasons from that. Nothing here reads a log, asks a
//! model or knows the store; whoever does puts its figures in.

mod answers;
mod cadence;
mod churn;
mod config;
mod coverage;
mod gates;
mod hits;
mod input;
mod interval;
mod overlap;
mod recall;
mod report;
mod stability;

pub use answers::{Answers, Collapse, ExactMatch, Fallbacks};
pub use cadence::{Ageing, Cadence, Decision, Reason, Recalled, decide};
pub use churn::Churn;
pub use config::{Config, ConfigError};
pub use coverage::Coverage;
pub use gates::{
    ChurnGate, CollapseGate, CoverageGate, ExactMatchGate, FallbacksGate, Finding, InputGate, Outcome, RecallGate,
    Severity, Verdict, judge, judge_first, judge_model,
};
pub use hits::{Position, positions, random_novel};
pub use input::{Day, Input};
pub use interval::Estimate;
pub use overlap::{FirstAnswers, Origin, Overlap};
pub use recall::{Recall, RecallTally};
pub use report::Report;
pub use stability::{Jaccard, Successors};
