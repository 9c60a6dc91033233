//! An experiment, measured: its exposure log joined with an outcome log, and what its arms come to (section 3.2).
//!
//! A unit is in from its first exposure on; what it did before is not the arm's doing. A unit that was in two arms,
//! because weights or the salt changed, is in none. Days are UTC.

mod config;
mod error;
mod exposed;
mod gather;
mod report;
mod sql;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::TimestampNanosecondType;
use futures::TryStreamExt;

pub use config::{Formula, OutcomeColumns, OutcomesConfig};
pub use error::MeasureError;
pub use gather::Met;
pub use report::{Comparison, Day, Difference, LogCounts, Report, Values};

use super::analyze::{Study, sample_ratio};
use super::config::Config;
use super::exposures::Fetched;
use crate::interactions::{self, EventLog, Events, Window};
use exposed::Exposed;
use gather::{Gathering, Place};
use report::Reader;
use sql::{Times, newest_sql, totals_sql};

/// More days than an experiment has; clocks that are wrong give more.
const MOST_DAYS: i64 = 1_000;

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The experiment.
    pub experiment: &'q Config,
    /// Its exposure log: a directory, a file, a glob or `s3://bucket/prefix`.
    pub exposures: &'q str,
    /// What its units did.
    pub outcomes: &'q OutcomesConfig,
    /// Limits of the engine.
    pub engine: &'q interactions::Config,
    /// The arm that others are compared with; `None`: the one called `control`, else the first.
    pub control: Option<&'q str>,
    /// Outcomes in this time are measured; exposures from before it count.
    pub window: Window,
}

/// What a measurement is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads the exposure log.
    Exposures,
    /// Reads the outcome log, which takes longest.
    Outcomes,
    /// Joins the two.
    Join,
}

/// Measures an experiment; `progress` is told each step before it is taken.
pub async fn measure(question: &Question<'_>, progress: &mut (dyn FnMut(Step) + Send)) -> Result<Report, MeasureError> {
    let control = control(question)?;
    check(question.outcomes)?;
    let (experiment, outcomes) = (question.experiment, question.outcomes);
    let events = Events::new(question.engine)?;
    let (numbers, places) = numbers(outcomes);
    let within = exposed_window(question);
    progress(Step::Exposures);
    let fetched = Fetched::of(question.exposures, &question.engine.spill()).await?;
    let exposed = Exposed::read(&events, question, fetched.path(), &within).await?;
    progress(Step::Outcomes);
    let log = events.add("outcomes", &outcome_log(outcomes, &numbers)).await?;

    let from = question.window.from.map_or(exposed.began, |from| from.max(exposed.began));
    let newest =
        newest(&events, &newest_sql(&experiment.name, &within, &Window { from: Some(from), to: within.to })).await?;
    let (first, days) = (from.date_naive(), days(from, newest)?);
    let kinds: Vec<_> = outcomes.metrics.values().map(Formula::kind).collect();
    let mut study = Study::new(experiment.arms.len(), days, &kinds);
    let arms: BTreeMap<&str, usize> = experiment.arms.iter().map(|arm| arm.name.as_str()).zip(0..).collect();
    let gathering = Gathering::new(&mut study, &arms, first, &places, !outcomes.before.is_zero());
    let sql = totals_sql(&experiment.name, &within, &times(question, exposed.began, within.to), numbers.len());
    progress(Step::Join);
    let met = gathered(&events, &sql, gathering).await?;

    let good = log.rows - log.bad_rows();
    let strangers = good.saturating_sub(met.joined);
    if met.outcomes_measured == 0 {
        return Err(MeasureError::NoOutcomes { path: outcomes.path.clone(), rows: good, strangers });
    }
    let weights: Vec<f64> = experiment.arms.iter().map(|arm| arm.weight).collect();
    let ratio = sample_ratio(study.units(), &weights);
    let reader = Reader { question, study: &study, control, first, days };
    Ok(reader.report(ratio, met, exposed.counts(log.bad_rows(), strangers)))
}

async fn gathered(events: &Events, sql: &str, mut gathering: Gathering<'_>) -> Result<Met, MeasureError> {
    let doing = "joining exposures with outcomes";
    let mut batches = events.rows(doing, sql).await?;
    while let Some(batch) = batches.try_next().await.map_err(events.failed(doing))? {
        gathering.take(&batch);
    }
    Ok(gathering.finish())
}

/// When the experiment is looked at; a time before of endless length reaches back to the first outcome.
fn times(question: &Question<'_>, began: DateTime<Utc>, to: Option<DateTime<Utc>>) -> Times {
    let before = TimeDelta::from_std(question.outcomes.before).ok().and_then(|time| began.checked_sub_signed(time));
    let before = before.unwrap_or(DateTime::<Utc>::MIN_UTC);
    Times { before, began, window: Window { from: question.window.from, to } }
}

fn control(question: &Question<'_>) -> Result<usize, MeasureError> {
    let arms = &question.experiment.arms;
    let place = |name: &str| arms.iter().position(|arm| arm.name == name);
    let unknown = |arm: &str| MeasureError::UnknownArm {
        experiment: question.experiment.name.clone(),
        arm: arm.to_owned(),
        known: arms.iter().map(|arm| format!("`{}`", arm.name)).collect::<Vec<_>>().join(", "),
    };
    match question.control {
        Some(name) => place(name).ok_or_else(|| unknown(name)),
        None => Ok(place("control").unwrap_or(0)),
    }
}

fn check(outcomes: &OutcomesConfig) -> Result<(), MeasureError> {
    if outcomes.metrics.is_empty() {
        return Err(MeasureError::NoMetrics);
    }
    let effect = outcomes.expected_effect;
    if effect > 0.0 && effect.is_finite() { Ok(()) } else { Err(MeasureError::ExpectedEffect(effect)) }
}

/// Exposures count while the experiment runs, and before the end that is asked for.
fn exposed_window(question: &Question<'_>) -> Window {
    let ends = [question.experiment.end, question.window.to];
    Window { from: question.experiment.start, to: ends.into_iter().flatten().min() }
}

/// The expressions to read, each with its key, and where each metric's values are among them.
fn numbers(outcomes: &OutcomesConfig) -> (Vec<(String, String)>, Vec<Place>) {
    let (mut numbers, mut places) = (Vec::new(), Vec::new());
    for (name, formula) in &outcomes.metrics {
        let first = numbers.len();
        for (part, expression) in formula.expressions() {
            numbers.push((format!("[outcomes.metrics] \"{name}\" {part}"), expression.to_owned()));
        }
        if let Formula::Mean(expression) = formula {
            let rows = format!("CASE WHEN ({expression}) IS NULL THEN 0 ELSE 1 END");
            numbers.push((format!("[outcomes.metrics] \"{name}\" mean"), rows));
        }
        places.push(Place { of: first, per: (numbers.len() > first + 1).then_some(first + 1) });
    }
    (numbers, places)
}

fn outcome_log<'o>(outcomes: &'o OutcomesConfig, numbers: &'o [(String, String)]) -> EventLog<'o> {
    EventLog {
        section: "[outcomes] columns",
        path: &outcomes.path,
        unit: &outcomes.columns.unit,
        timestamp: &outcomes.columns.timestamp,
        timestamp_unit: outcomes.timestamp_unit,
        texts: &[],
        numbers,
        distinct: outcomes.distinct,
    }
}

async fn newest(events: &Events, sql: &str) -> Result<Option<DateTime<Utc>>, MeasureError> {
    let doing = "finding the newest outcome";
    let batches = events.rows(doing, sql).await?.try_collect::<Vec<_>>().await;
    Ok(batches.map_err(events.failed(doing))?.iter().find_map(|batch| {
        let newest = batch.column(0).as_primitive::<TimestampNanosecondType>();
        let known = !newest.is_empty() && newest.is_valid(0);
        known.then(|| DateTime::from_timestamp_nanos(newest.value(0)))
    }))
}

/// Days from that of `first` to that of the newest outcome.
fn days(first: DateTime<Utc>, newest: Option<DateTime<Utc>>) -> Result<usize, MeasureError> {
    let Some(newest) = newest else { return Ok(0) };
    let days = (newest.date_naive() - first.date_naive()).num_days() + 1;
    if days > MOST_DAYS {
        return Err(MeasureError::TooLong { from: first, to: newest, most: MOST_DAYS });
    }
    Ok(usize::try_from(days).unwrap_or(0))
}
