//! An experiment, measured: its exposure log joined with an outcome log, and what its arms come to (section 3.2).
//!
//! A unit is in from its first exposure on; what it did before is not the arm's doing. A unit that was in two arms, because
//! weights or the salt changed, is in none. Days are UTC.

mod config;
mod error;
mod gather;
mod report;
mod sql;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use futures::TryStreamExt;

pub use config::{Formula, OutcomeColumns, OutcomesConfig};
pub use error::MeasureError;
pub use gather::Met;
pub use report::{Comparison, Day, Difference, LogCounts, Report};

use super::analyze::{Study, sample_ratio};
use super::config::Config;
use crate::interactions::{self, EventLog, Events, Window};
use gather::Gathering;
use report::Reader;
use sql::{Times, newest_sql, overview_sql, totals_sql};

/// More days than an experiment has; clocks that are wrong give more.
const MOST_DAYS: i64 = 1_000;

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The experiment.
    pub experiment: &'q Config,
    /// Its exposure log: a directory, a file or a glob.
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

/// Measures an experiment.
pub async fn measure(question: &Question<'_>) -> Result<Report, MeasureError> {
    let control = control(question)?;
    check(question.outcomes)?;
    let events = Events::new(question.engine)?;
    let (numbers, places) = numbers(question.outcomes);
    let exposed = exposed_window(question);
    let exposures = Exposed::read(&events, question, &exposed).await?;
    let outcomes = events.add("outcomes", &outcome_log(question.outcomes, &numbers)).await?;
    let good = outcomes.rows - outcomes.bad_rows();

    let began = exposures.began;
    let first = question.window.from.map_or(began, |from| from.max(began));
    let measured = Window { from: Some(first), to: exposed.to };
    let newest = newest(&events, &measured).await?;
    let days = days(first, newest)?;
    let kinds: Vec<_> = question.outcomes.metrics.values().map(Formula::kind).collect();
    let mut study = Study::new(question.experiment.arms.len(), days, &kinds);
    let before = began - question.outcomes.before;
    let times = Times { before, began, window: Window { from: question.window.from, to: exposed.to } };
    let sql = totals_sql(&question.experiment.name, &exposed, &times, numbers.len());
    let arms: BTreeMap<&str, usize> =
        question.experiment.arms.iter().enumerate().map(|(at, arm)| (arm.name.as_str(), at)).collect();
    let with_before = !question.outcomes.before.is_zero();
    let mut gathering = Gathering::new(&mut study, &arms, first.date_naive(), &places, with_before);
    let doing = "joining exposures with outcomes";
    let mut batches = events.rows(doing, &sql).await?;
    while let Some(batch) = batches.try_next().await.map_err(events.failed(doing))? {
        gathering.take(&batch);
    }
    let met = gathering.finish();
    let strangers = good.saturating_sub(met.joined);
    if met.outcomes_measured == 0 {
        return Err(MeasureError::NoOutcomes { path: question.outcomes.path.clone(), rows: good, strangers });
    }
    let weights: Vec<f64> = question.experiment.arms.iter().map(|arm| arm.weight).collect();
    let ratio = sample_ratio(study.units(), &weights);
    let reader = Reader { question, study: &study, control, first: first.date_naive(), days };
    Ok(reader.report(ratio, met, exposures.counts(outcomes.bad_rows(), strangers)))
}

/// What the exposure log holds of the experiment.
struct Exposed {
    began: DateTime<Utc>,
    taken: u64,
    repeated: u64,
    outside: u64,
    bad: u64,
}

impl Exposed {
    async fn read(events: &Events, question: &Question<'_>, window: &Window) -> Result<Self, MeasureError> {
        let log = EventLog {
            section: "the exposure log",
            path: question.exposures,
            unit: "unit",
            timestamp: "timestamp",
            timestamp_unit: None,
            texts: &["experiment", "arm"],
            numbers: &[],
            distinct: true,
        };
        let report = events.add("exposures", &log).await?;
        let doing = "reading exposures";
        let batches = events.rows(doing, &overview_sql(window)).await?.try_collect::<Vec<_>>().await;
        let mut found =
            Self { began: DateTime::<Utc>::MAX_UTC, taken: 0, repeated: 0, outside: 0, bad: report.bad_rows() };
        let mut others: BTreeMap<String, u64> = BTreeMap::new();
        for batch in batches.map_err(events.failed(doing))? {
            let experiments = batch.column(0).as_string_view();
            let [inside, exposures, logged] = [2, 3, 4].map(|at| batch.column(at).as_primitive::<Int64Type>());
            let first = batch.column(5).as_primitive::<TimestampNanosecondType>();
            for row in 0..batch.num_rows() {
                let name = if experiments.is_valid(row) { experiments.value(row) } else { "no name" };
                let (exposures, logged) = (exposures.value(row).unsigned_abs(), logged.value(row).unsigned_abs());
                if name != question.experiment.name {
                    *others.entry(name.to_owned()).or_default() += logged;
                } else if inside.value(row) == 1 {
                    found.began = found.began.min(DateTime::from_timestamp_nanos(first.value(row)));
                    found.taken += exposures;
                    found.repeated += logged - exposures;
                } else {
                    found.outside += logged;
                }
            }
        }
        if found.taken == 0 {
            let known = others.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(MeasureError::NoExposures {
                experiment: question.experiment.name.clone(),
                path: question.exposures.to_owned(),
                rows: report.rows,
                known: if known.is_empty() { "no other experiment".to_owned() } else { known },
            });
        }
        Ok(found)
    }

    fn counts(&self, bad_outcomes: u64, strangers: u64) -> LogCounts {
        LogCounts {
            exposures: self.taken,
            exposures_repeated: self.repeated,
            exposures_at_other_times: self.outside,
            exposures_bad: self.bad,
            outcomes_bad: bad_outcomes,
            outcomes_of_unexposed_units: strangers,
        }
    }
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
fn numbers(outcomes: &OutcomesConfig) -> (Vec<(String, String)>, Vec<(usize, Option<usize>)>) {
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
        places.push((first, (numbers.len() > first + 1).then_some(first + 1)));
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

async fn newest(events: &Events, window: &Window) -> Result<Option<DateTime<Utc>>, MeasureError> {
    let doing = "finding the newest outcome";
    let batches = events.rows(doing, &newest_sql(window)).await?.try_collect::<Vec<_>>().await;
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
