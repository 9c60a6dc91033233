//! What a candidate is worth, and whether it may go live (sections 2.2 and 3.1).
//!
//! Pure: values in, a [`Report`] out, and a [`Verdict`] with its reasons from that. Nothing here reads a log, asks a
//! model or knows the store; whoever does puts its figures in.

mod answers;
mod churn;
mod config;
mod coverage;
mod gates;
mod input;
mod recall;
mod report;

pub use answers::{Answers, Collapse, ExactMatch, Fallbacks};
pub use churn::Churn;
pub use config::{
    ChurnGate, CollapseGate, Config, ConfigError, CoverageGate, ExactMatchGate, FallbacksGate, InputGate, RecallGate,
    Severity,
};
pub use coverage::Coverage;
pub use gates::{Finding, Outcome, Verdict, judge, judge_first};
pub use input::{Day, Input};
pub use recall::{Recall, RecallTally};
pub use report::Report;
