//! Weigh: has another day of log come, what has the live table lost by its end, and does a refresh pay?

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::ask::Asking;
use super::count;
use super::input::{self, Input, Source};
use super::judge;
use crate::evaluation::{Ageing, Decision, Recalled, decide};
use crate::ids::VersionId;
use crate::interactions::{Log, Users, Window, load_taxonomy};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::Cycle;
use crate::replay::{self, Period};
use crate::store::Manifest;

/// Predictions of an answer of which one may come true, as Figure 3 has it.
const FIRST: usize = 5;

/// How long they may take to.
const HORIZON: TimeDelta = TimeDelta::days(7);

/// A decision for one day of log.
#[derive(Clone, Copy, Debug)]
pub struct Weighed {
    /// Where the log ended.
    pub log_to: DateTime<Utc>,
    /// What was live.
    pub live: VersionId,
    /// What was decided.
    pub decision: Decision,
}

/// What a look came upon: as long as that is the same, so is what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    live: VersionId,
    /// The log's fingerprint.
    files: String,
}

/// Weighs and keeps the decision in the store; `None` where nothing is live yet, or where the newest day of the log has
/// been weighed or counted already.
pub(in crate::refresh) async fn weigh(
    cycle: &Cycle<'_>,
    seen: &mut Option<Seen>,
) -> Result<Option<Weighed>, RefreshError> {
    let channel = &cycle.request.channel;
    let Some(live) = cycle.store.channel(channel)? else { return Ok(None) };
    let live = cycle.store.manifest(live.version)?;
    let log = Log::open(&cycle.settings.interactions, &load_taxonomy(&cycle.settings.clusters)?).await?;
    let found = Seen { live: live.version, files: log.fingerprint() };
    if seen.as_ref() == Some(&found) {
        return Ok(None);
    }
    let Some(log_to) = new_day(cycle, &live, &log).await? else {
        *seen = Some(found);
        return Ok(None);
    };
    let decision = decide(&cycle.settings.evaluation.cadence, &ageing(cycle, &live, log_to).await?);
    let live = live.version;
    cycle.store.keep_decision(channel, log_to, live, &serde_json::to_value(decision).unwrap_or_default())?;
    *seen = Some(found);
    Ok(Some(Weighed { log_to, live, decision }))
}

/// The end of the log, if it lies on a later day than all that was weighed or counted.
async fn new_day(cycle: &Cycle<'_>, live: &Manifest, log: &Log) -> Result<Option<DateTime<Utc>>, RefreshError> {
    let log_to = input::end(cycle.settings.refresh.ends, log.span().await?.newest);
    let weighed = cycle.store.decisions(&cycle.request.channel, 1)?.pop().map(|decided| decided.log_to);
    let known = weighed.max(live.lineage.window_to);
    Ok(known.is_none_or(|known| last_day(known) < last_day(log_to)).then_some(log_to))
}

/// The day that a log ends in; an end at midnight belongs to the day before.
fn last_day(end: DateTime<Utc>) -> NaiveDate {
    (end - TimeDelta::nanoseconds(1)).date_naive()
}

/// What is known of the live table at the end of the log. A version that was counted elsewhere, or whose clusters are
/// others, is not measured, only its age is.
async fn ageing(cycle: &Cycle<'_>, live: &Manifest, log_to: DateTime<Utc>) -> Result<Ageing, RefreshError> {
    let settings = cycle.settings;
    let since = live.lineage.window_to.unwrap_or(live.created);
    let (age, recall) = ((log_to - since).as_seconds_f64() / 86_400.0, recalled(cycle, live)?);
    let unmeasured = Ageing { age, recall, ..Ageing::default() };
    let cadence = &settings.evaluation.cadence;
    let held_out = &settings.evaluation.held_out;
    let counted = Window { from: live.lineage.window_from, to: live.lineage.window_to };
    if age * 86_400.0 < cadence.min.as_secs_f64() || counted.to.is_none() || held_out.share == 0.0 {
        return Ok(unmeasured);
    }
    let mut input = input::read(cycle, &mut |_| {}).await?;
    let Source::Log { log, window } = &input.source else { return Ok(unmeasured) };
    if input.taxonomy.hash() != live.taxonomy_hash {
        return Ok(unmeasured);
    }
    let (log, window) = (log.clone(), *window);
    let kept = |window| Input {
        taxonomy: input.taxonomy.clone(),
        source: Source::Log { log: Box::new(log.of(Users::Kept(held_out.clone()))), window },
        lineage: input.lineage.clone(),
    };
    let then = count::private(cycle, &kept(counted), None).await?;
    let Some((then, now)) = then.zip(count::private(cycle, &kept(window), None).await?) else { return Ok(unmeasured) };
    let met = Window { from: counted.from.min(window.from), to: Some(log_to) };
    let users = log.of(Users::HeldOut(held_out.clone())).meetings(&met).await?;
    let first = FIRST.min(settings.table.width);
    let measured = replay::ageing(&then, &now, &users, Period { from: since, to: log_to }, first, HORIZON)?;
    let (calls, tokens_cost) = match Asking::of(cycle, &mut input)? {
        Some(asking) => asking.forecast(cycle, &input).await.map(|forecast| (forecast.questions, forecast.cost))?,
        None => (0, 0.0),
    };
    Ok(Ageing { calls, tokens_cost, recall, ..measured })
}

/// Recall of the first version that came of the live one's language model, and of the live one, as the gates measured them
/// when they were made.
fn recalled(cycle: &Cycle<'_>, live: &Manifest) -> Result<Option<Recalled>, RefreshError> {
    let report = judge::report(cycle, live.version)?;
    Ok(report.first_recall.zip(report.recall).map(|(first, live)| Recalled { first, live: live.estimate() }))
}
