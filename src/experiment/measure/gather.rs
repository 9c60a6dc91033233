//! The statement's rows, gathered to units.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use serde::Serialize;

use super::sql::Part;
use crate::experiment::analyze::{Study, Total, UnitTotals};

/// The columns before the values.
const FIRST_VALUE: usize = 8;

/// What was met on the way, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Met {
    /// Units in two arms, which are left out.
    pub units_in_two_arms: u64,
    /// Units of arms that the experiment does not have, which are left out.
    pub units_of_unknown_arms: u64,
    /// Units that were exposed and did nothing afterwards: they count, with zeros.
    pub units_without_outcomes: u64,
    /// Units that were exposed after the last day of which there are outcomes: they count in the sample ratio, and in no
    /// metric.
    pub units_exposed_later: u64,
    /// Outcomes that are measured.
    pub outcomes_measured: u64,
    /// Outcomes in the time before, which adjust.
    pub outcomes_before: u64,
    /// Outcomes from the experiment's begin on, but before their unit's exposure, which are left out.
    pub outcomes_before_exposure: u64,
    /// Outcomes of exposed units that are older, or outside the window; left out.
    pub outcomes_at_other_times: u64,
    /// Outcomes of units that are left out.
    pub outcomes_of_units_left_out: u64,
    /// Rows that repeat another, which are left out.
    pub outcomes_repeated: u64,
    /// All rows of exposed units, copies too.
    #[serde(skip)]
    pub(super) joined: u64,
}

/// Where a metric's values are among those of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) of: usize,
    /// The denominator; a sum a unit has none.
    pub(super) per: Option<usize>,
}

/// Gathers the rows of one unit after the other into a study.
pub(super) struct Gathering<'g> {
    study: &'g mut Study,
    arms: &'g BTreeMap<&'g str, usize>,
    /// The study's first day.
    first: NaiveDate,
    /// By metric.
    places: &'g [Place],
    with_before: bool,
    met: Met,
    open: Option<Open>,
}

/// The unit whose rows are being read.
struct Open {
    unit: String,
    arm: Result<usize, Stray>,
    totals: UnitTotals,
}

enum Stray {
    TwoArms,
    UnknownArm,
}

impl<'g> Gathering<'g> {
    pub(super) fn new(
        study: &'g mut Study,
        arms: &'g BTreeMap<&'g str, usize>,
        first: NaiveDate,
        places: &'g [Place],
        with_before: bool,
    ) -> Self {
        Self { study, arms, first, places, with_before, met: Met::default(), open: None }
    }

    pub(super) fn take(&mut self, batch: &RecordBatch) {
        let [units, arms, others] = [0, 1, 2].map(|at| batch.column(at).as_string_view());
        let since = batch.column(3).as_primitive::<TimestampNanosecondType>();
        let [parts, outcomes, logged] = [4, 6, 7].map(|at| batch.column(at).as_primitive::<Int64Type>());
        let days = batch.column(5).as_primitive::<TimestampNanosecondType>();
        for row in 0..batch.num_rows() {
            let unit = units.value(row);
            if self.open.as_ref().is_none_or(|open| open.unit != unit) {
                self.close();
                let arm = arms.is_valid(row).then(|| arms.value(row));
                self.begin(unit, arm, others.is_valid(row).then(|| others.value(row)), since.value(row));
            }
            if parts.is_null(row) {
                continue;
            }
            let Some(part) = Part::ALL.into_iter().find(|part| *part as i64 == parts.value(row)) else { continue };
            let (outcomes, logged) = (outcomes.value(row).unsigned_abs(), logged.value(row).unsigned_abs());
            self.count(part, outcomes, logged);
            let totals = self.totals(batch, row);
            let day = (part == Part::After).then(|| self.day(days.value(row)));
            if let Some(open) = &mut self.open {
                match part {
                    Part::Before => open.totals.before = totals,
                    Part::After => open.totals.days.extend(day.map(|day| (day, totals))),
                    Part::Earlier | Part::Unexposed | Part::Outside => {}
                }
            }
        }
    }

    pub(super) fn finish(mut self) -> Met {
        self.close();
        self.met
    }

    fn begin(&mut self, unit: &str, arm: Option<&str>, other: Option<&str>, since: i64) {
        let known = arm.and_then(|arm| self.arms.get(arm)).copied();
        let arm = if arm == other { known.ok_or(Stray::UnknownArm) } else { Err(Stray::TwoArms) };
        let before = if self.with_before { vec![Total::default(); self.places.len()] } else { Vec::new() };
        let totals = UnitTotals { arm: 0, since: self.day(since), before, days: Vec::new() };
        self.open = Some(Open { unit: unit.to_owned(), arm, totals });
    }

    fn close(&mut self) {
        let Some(Open { arm, mut totals, .. }) = self.open.take() else { return };
        match arm {
            Err(Stray::TwoArms) => self.met.units_in_two_arms += 1,
            Err(Stray::UnknownArm) => self.met.units_of_unknown_arms += 1,
            Ok(arm) => {
                let later = totals.since >= self.study.days();
                self.met.units_exposed_later += u64::from(later);
                self.met.units_without_outcomes += u64::from(totals.days.is_empty() && !later);
                totals.arm = arm;
                self.study.add(&totals);
            }
        }
    }

    fn count(&mut self, part: Part, outcomes: u64, logged: u64) {
        self.met.joined += logged;
        self.met.outcomes_repeated += logged - outcomes;
        let is_in = self.open.as_ref().is_some_and(|open| open.arm.is_ok());
        *match part {
            _ if !is_in => &mut self.met.outcomes_of_units_left_out,
            Part::Earlier | Part::Outside => &mut self.met.outcomes_at_other_times,
            Part::Before => &mut self.met.outcomes_before,
            Part::After => &mut self.met.outcomes_measured,
            Part::Unexposed => &mut self.met.outcomes_before_exposure,
        } += outcomes;
    }

    fn totals(&self, batch: &RecordBatch, row: usize) -> Vec<Total> {
        let value = |at: usize| {
            let column = batch.column(FIRST_VALUE + at).as_primitive::<Float64Type>();
            if column.is_valid(row) { column.value(row) } else { 0.0 }
        };
        let total = |&Place { of, per }: &Place| Total { value: value(of), per: per.map_or(0.0, value) };
        self.places.iter().map(total).collect()
    }

    /// The study's day of a time; those before it are its first.
    fn day(&self, nanos: i64) -> usize {
        let date = chrono::DateTime::from_timestamp_nanos(nanos).date_naive();
        usize::try_from((date - self.first).num_days()).unwrap_or(0)
    }
}
