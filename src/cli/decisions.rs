//! Decisions of the adaptive policy, for people.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::evaluate::estimate;
use super::{Common, output};
use crate::evaluation::Decision;
use crate::refresh::{Due, Settings, due};
use crate::store::Store;

/// As many as are told, the newest.
const TOLD: usize = 30;

/// Tells what was decided for a channel, oldest first, and when the refresher tunes the model, where it does.
pub(super) fn tell(common: &Common, settings: &Settings, store: &Store, channel: &str) -> anyhow::Result<ExitCode> {
    let (kept, now) = (store.decisions(channel, TOLD)?, Utc::now());
    let tuning = due(settings, store, channel, now)?;
    if common.json {
        let tuning = tuning.map(|Due { at, why }| json!({ "at": at, "why": why }));
        output::json(&json!({ "channel": channel, "decisions": kept, "tuning": tuning }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if kept.is_empty() {
        output::note(format_args!(
            "nothing was decided for `{channel}` yet: refresh.policy = \"adaptive\" decides daily"
        ));
    } else {
        let read =
            |value: &serde_json::Value| serde_json::from_value(value.clone()).context("a decision cannot be read");
        let decisions = kept.iter().map(|kept| read(&kept.decision)).collect::<anyhow::Result<Vec<Decision>>>()?;
        let ends = kept.iter().map(|kept| kept.log_to);
        output::columns(&columns(ends.zip(&decisions)))?;
    }
    if let Some(Due { at, why }) = tuning {
        let at = if at > now { at.format("%F %R").to_string() } else { "now".into() };
        output::line(format_args!("the model is due for tuning {at}: {why}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A row a decision, with the end of the log that it was made for.
pub(super) fn columns<'d>(decided: impl Iterator<Item = (DateTime<Utc>, &'d Decision)>) -> Vec<Vec<String>> {
    let header = ["log up to", "age (d)", "loss", "top-5 stability", "gain", "cost", "LLM calls", "refresh", "why"];
    let line = |(at, decision): (DateTime<Utc>, &Decision)| {
        let of = decision.ageing;
        vec![
            at.format("%F %R").to_string(),
            format!("{:.1}", of.age),
            estimate(of.loss),
            of.stability.map_or("-".into(), |of| format!("{:.3}", of.mean)),
            format!("{:.2}", decision.gain),
            format!("{:.2}", decision.cost),
            of.calls.to_string(),
            if decision.refresh { "yes" } else { "no" }.into(),
            [Some(decision.reason.to_string()), decision.advice()].into_iter().flatten().collect::<Vec<_>>().join("; "),
        ]
    };
    [header.map(str::to_owned).to_vec()].into_iter().chain(decided.map(line)).collect()
}
