//! Units, gathered day by day, and what is read from them.
//!
//! A unit takes part from the day of its first exposure on, and never leaves: a day on which it did nothing is a day of
//! zeros. Leaving such days out would compare units by something that the arm itself may change.

use super::effect::{Effect, Unreadable, compare, compare_adjusted};
use super::moments::{Moments, Observation};

/// What a metric divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number of units: a sum a unit.
    PerUnit,
    /// The sum of a second value: a ratio, or a mean over rows.
    Ratio,
}

/// What one unit did in some time: the numerator and the denominator of a metric. The latter is not read where the
/// metric is [`Kind::PerUnit`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Total {
    /// The numerator.
    pub value: f64,
    /// The denominator.
    pub per: f64,
}

impl Total {
    fn plus(self, other: Self) -> Self {
        Self { value: self.value + other.value, per: self.per + other.per }
    }
}

/// All that one unit did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitTotals {
    /// Its arm.
    pub arm: usize,
    /// The day of its first exposure, from 0.
    pub since: usize,
    /// By metric, before the experiment; empty where that time was not looked at.
    pub before: Vec<Total>,
    /// By metric, for days on which it did something, in order, none before `since`.
    pub days: Vec<(usize, Vec<Total>)>,
}

/// The units of one experiment.
#[derive(Clone, Debug)]
pub struct Study {
    kinds: Vec<Kind>,
    days: usize,
    units: Vec<u64>,
    /// By arm, metric and day, what was done on that day.
    daily: Vec<Vec<Vec<Moments>>>,
    /// By arm, metric and day, what was done up to the end of that day.
    so_far: Vec<Vec<Vec<Moments>>>,
}

/// What one metric of one arm comes to, against control.
#[derive(Clone, Debug)]
pub struct MetricReading {
    /// The metric in control; `None` where it has nothing to divide by.
    pub control: Option<f64>,
    /// The metric in the arm.
    pub treatment: Option<f64>,
    /// Over all days.
    pub overall: Reading,
    /// By day.
    pub days: Vec<DayReading>,
}

/// How an arm differs from control in some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// As the arms are.
    pub plain: Result<Effect, Unreadable>,
    /// Less what the time before explains (CUPED); `None` where there is no such time.
    pub adjusted: Option<Result<Effect, Unreadable>>,
}

impl Reading {
    fn of(control: &Moments, arm: &Moments) -> Self {
        Self { plain: compare(control, arm), adjusted: compare_adjusted(control, arm) }
    }
}

/// What one metric of one arm comes to in some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The metric; `None` where it has nothing to divide by.
    pub metric: Option<f64>,
    /// The units that take part by then.
    pub units: u64,
}

/// A metric on one day.
#[derive(Clone, Copy, Debug)]
pub struct DayReading {
    /// What was done on that day.
    pub day: Reading,
    /// What was done up to its end, for those who look every day.
    pub so_far: Reading,
}

impl Study {
    /// Without units yet.
    pub fn new(arms: usize, days: usize, kinds: &[Kind]) -> Self {
        let moments = vec![vec![vec![Moments::default(); days]; kinds.len()]; arms];
        Self { kinds: kinds.to_vec(), days, units: vec![0; arms], daily: moments.clone(), so_far: moments }
    }

    /// Days that are read.
    pub fn days(&self) -> usize {
        self.days
    }

    /// Takes in one unit. Days beyond the study's are not read, so that a unit that joins later is in no metric; neither is
    /// a unit of an arm that the study does not have.
    pub fn add(&mut self, unit: &UnitTotals) {
        let Some(units) = self.units.get_mut(unit.arm) else { return };
        *units += 1;
        for (metric, &kind) in self.kinds.iter().enumerate() {
            let before = unit.before.get(metric).copied();
            let mut so_far = Total::default();
            let mut done = unit.days.iter().peekable();
            for day in unit.since..self.days {
                let mut today = Total::default();
                while let Some((_, totals)) = done.next_if(|(at, _)| *at <= day) {
                    today = today.plus(totals.get(metric).copied().unwrap_or_default());
                }
                so_far = so_far.plus(today);
                self.daily[unit.arm][metric][day].add(observation(kind, today, before));
                self.so_far[unit.arm][metric][day].add(observation(kind, so_far, before));
            }
        }
    }

    /// Units by arm.
    pub fn units(&self) -> &[u64] {
        &self.units
    }

    /// A metric of an arm against that of control; both are places among the arms.
    pub fn read(&self, metric: usize, control: usize, arm: usize) -> MetricReading {
        let day = |at: usize| {
            let of = |all: &[Vec<Vec<Moments>>]| Reading::of(&all[control][metric][at], &all[arm][metric][at]);
            DayReading { day: of(&self.daily), so_far: of(&self.so_far) }
        };
        let (to, of) = (self.overall(control, metric), self.overall(arm, metric));
        MetricReading {
            control: to.ratio(),
            treatment: of.ratio(),
            overall: Reading::of(&to, &of),
            days: (0..self.days).map(day).collect(),
        }
    }

    /// What a metric of an arm comes to on a day, and up to its end.
    pub fn values(&self, metric: usize, arm: usize, day: usize) -> (Value, Value) {
        let of = |moments: &[Vec<Vec<Moments>>]| {
            let moments = &moments[arm][metric][day];
            Value { metric: moments.ratio(), units: moments.units() }
        };
        (of(&self.daily), of(&self.so_far))
    }

    fn overall(&self, arm: usize, metric: usize) -> Moments {
        self.so_far[arm][metric].last().copied().unwrap_or_default()
    }
}

fn observation(kind: Kind, total: Total, before: Option<Total>) -> Observation {
    let per = |total: Total| if kind == Kind::PerUnit { 1.0 } else { total.per };
    let (before, before_per) = before.map_or((0.0, 0.0), |before| (before.value, per(before)));
    Observation { value: total.value, per: per(total), before, before_per }
}
