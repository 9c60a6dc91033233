//! What is told of an experiment: the check of its units, its metrics overall and by day, and what was left out.

use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::gather::Met;
use super::{Formula, Question};
use crate::experiment::analyze::{Effect, SampleRatio, Study, Unreadable, Value};

/// An experiment, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub experiment: String,
    /// The arm that others are compared with.
    pub control: String,
    /// All arms, as in `sample_ratio`.
    pub arms: Vec<String>,
    /// The first day that is measured.
    pub from: NaiveDate,
    /// Days measured.
    pub days: usize,
    /// Units by arm, beside what the weights give.
    pub sample_ratio: SampleRatio,
    /// The check failed: nothing is read, and `metrics` is empty.
    pub mismatch: bool,
    /// Each metric of each arm but control.
    pub metrics: Vec<Comparison>,
    /// What the logs hold.
    pub logs: LogCounts,
    /// What became of outcomes and units.
    pub met: Met,
}

/// What was read and left out, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogCounts {
    /// Exposures of the experiment within its time.
    pub exposures: u64,
    /// Rows that repeat another exposure.
    pub exposures_repeated: u64,
    /// Exposures outside the experiment's time.
    pub exposures_at_other_times: u64,
    /// Rows without a unit, or without a readable time.
    pub exposures_bad: u64,
    /// Rows without a unit, a readable time or readable values.
    pub outcomes_bad: u64,
    /// Outcomes of units that were never exposed.
    pub outcomes_of_unexposed_units: u64,
}

/// One metric of one arm against control.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The metric's name.
    pub metric: String,
    /// Its formula.
    pub formula: Formula,
    /// The arm.
    pub arm: String,
    /// The metric in control.
    pub in_control: Option<f64>,
    /// The metric in the arm.
    pub in_arm: Option<f64>,
    /// Over all days.
    pub overall: Difference,
    /// The same, less what the time before explains (CUPED); absent without such a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjusted: Option<Difference>,
    /// By day.
    pub days: Vec<Day>,
}

/// A day of a metric.
#[derive(Clone, Debug, Serialize)]
pub struct Day {
    /// The day, in UTC.
    pub date: NaiveDate,
    /// What was done on it.
    pub day: Difference,
    /// The same, less what the time before the experiment explains; absent without such a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_adjusted: Option<Difference>,
    /// What was done up to its end.
    pub so_far: Difference,
    /// The same, less what the time before the experiment explains; absent without such a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub so_far_adjusted: Option<Difference>,
    /// What `day` compares.
    pub day_values: Values,
    /// What `so_far` compares.
    pub so_far_values: Values,
}

/// A metric in two arms, and the units that take part by then.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Values {
    /// The metric in control.
    pub in_control: Option<f64>,
    /// The metric in the arm.
    pub in_arm: Option<f64>,
    /// Units of control.
    pub units_in_control: u64,
    /// Units of the arm.
    pub units_in_arm: u64,
}

impl Values {
    fn of(control: Value, arm: Value) -> Self {
        Self {
            in_control: control.metric,
            in_arm: arm.metric,
            units_in_control: control.units,
            units_in_arm: arm.units,
        }
    }
}

/// A relative difference to control, in percent, with its intervals at 95 %; or why there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// How much more than control.
    pub percent: Option<f64>,
    /// The interval for one look.
    pub interval: Option<(f64, f64)>,
    /// The probability of a difference at least as large where there is none.
    pub p_value: Option<f64>,
    /// The interval that holds however often one looks.
    pub always_valid: Option<(f64, f64)>,
    /// Why there is no difference.
    #[serde(serialize_with = "told", skip_serializing_if = "Option::is_none")]
    pub problem: Option<Unreadable>,
}

fn told<S: serde::Serializer>(problem: &Option<Unreadable>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_some(&problem.map(|problem| problem.to_string()))
}

impl Difference {
    fn of(effect: Result<Effect, Unreadable>, expected: f64) -> Self {
        let percent = |(low, high): (f64, f64)| (100.0 * low, 100.0 * high);
        match effect {
            Ok(effect) => Self {
                percent: Some(100.0 * effect.relative),
                interval: effect.interval().map(percent),
                p_value: effect.p_value(),
                always_valid: effect.always_valid(expected).map(percent),
                problem: None,
            },
            Err(problem) => Self { problem: Some(problem), ..Self::default() },
        }
    }
}

/// Reads a study.
pub(super) struct Reader<'r> {
    pub(super) question: &'r Question<'r>,
    pub(super) study: &'r Study,
    pub(super) control: usize,
    pub(super) first: NaiveDate,
    pub(super) days: usize,
}

impl Reader<'_> {
    pub(super) fn report(&self, sample_ratio: SampleRatio, met: Met, logs: LogCounts) -> Report {
        let experiment = self.question.experiment;
        let mismatch = sample_ratio.is_mismatch();
        Report {
            experiment: experiment.name.clone(),
            control: experiment.arms[self.control].name.clone(),
            arms: experiment.arms.iter().map(|arm| arm.name.clone()).collect(),
            from: self.first,
            days: self.days,
            sample_ratio,
            mismatch,
            metrics: if mismatch { Vec::new() } else { self.comparisons() },
            logs,
            met,
        }
    }

    fn comparisons(&self) -> Vec<Comparison> {
        let arms = self.question.experiment.arms.iter().enumerate().filter(|(arm, _)| *arm != self.control);
        let of_metric = |(metric, (name, formula)): (usize, (&String, &Formula))| {
            let of_arm = |(arm, config): (usize, &crate::experiment::ArmConfig)| {
                self.comparison((name, formula), &config.name, (metric, arm))
            };
            arms.clone().map(of_arm).collect::<Vec<_>>()
        };
        self.question.outcomes.metrics.iter().enumerate().flat_map(of_metric).collect()
    }

    /// Of places among metrics and arms.
    fn comparison(&self, (metric, formula): (&str, &Formula), name: &str, (at, arm): (usize, usize)) -> Comparison {
        let reading = self.study.read(at, self.control, arm);
        let difference = |effect| Difference::of(effect, self.question.outcomes.expected_effect);
        let days = reading.days.iter().enumerate().filter_map(|(day, reading)| {
            let date = self.first.checked_add_days(Days::new(day as u64))?;
            let (control, arm) = (self.study.values(at, self.control, day), self.study.values(at, arm, day));
            Some(Day {
                date,
                day: difference(reading.day.plain),
                day_adjusted: reading.day.adjusted.map(difference),
                so_far: difference(reading.so_far.plain),
                so_far_adjusted: reading.so_far.adjusted.map(difference),
                day_values: Values::of(control.0, arm.0),
                so_far_values: Values::of(control.1, arm.1),
            })
        });
        Comparison {
            metric: metric.to_owned(),
            formula: formula.clone(),
            arm: name.to_owned(),
            in_control: reading.control,
            in_arm: reading.treatment,
            overall: difference(reading.overall.plain),
            adjusted: reading.overall.adjusted.map(difference),
            days: days.collect(),
        }
    }
}
