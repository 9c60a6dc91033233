//! Steps through time: days, weeks, calendar months.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, TimeDelta, Utc};
use serde::Serialize;

use super::error::ReplayError;

/// The most periods of a replay: a day each, ten years long.
const MOST: usize = 3660;

/// How far from one moment to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many days of 24 hours.
    Days(u32),
    /// A calendar month.
    Month,
}

/// `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The first one behind it.
    pub to: DateTime<Utc>,
}

/// What is no step.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no step of time: write day, week, month, or days like 2d (1d to 3660d)")]
pub struct ParseStepError(String);

impl FromStr for Step {
    type Err = ParseStepError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = |text: &str| text.strip_suffix('d')?.parse().ok().filter(|days| (1..=MOST as u32).contains(days));
        match text {
            "day" => Ok(Self::Days(1)),
            "week" => Ok(Self::Days(7)),
            "month" => Ok(Self::Month),
            text => days(text).map(Self::Days).ok_or_else(|| ParseStepError(text.to_owned())),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(1) => f.write_str("day"),
            Self::Days(7) => f.write_str("week"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Month => f.write_str("month"),
        }
    }
}

impl Step {
    /// So many steps behind a moment; the end of time where there are not as many.
    pub fn after(self, at: DateTime<Utc>, steps: u32) -> DateTime<Utc> {
        let moved = match self {
            Self::Days(days) => at.checked_add_signed(TimeDelta::days(i64::from(days) * i64::from(steps))),
            Self::Month => at.checked_add_months(Months::new(steps)),
        };
        moved.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// One step before a moment; the start of time where there is none.
    pub fn before(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let moved = match self {
            Self::Days(days) => at.checked_sub_signed(TimeDelta::days(i64::from(days))),
            Self::Month => at.checked_sub_months(Months::new(1)),
        };
        moved.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// The first midnight, for months the first one of a month, at or after a moment.
    pub fn border(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let midnight = |at: DateTime<Utc>| at.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let is_border = |at: &DateTime<Utc>| self != Self::Month || at.day() == 1;
        let first = if midnight(at) == at { at } else { midnight(Self::Days(1).after(at, 1)) };
        (0..=31).map(|days| Self::Days(1).after(first, days)).find(is_border).unwrap_or(first)
    }
}

impl Period {
    /// As it is called: its month, or its first day.
    pub fn name(&self, step: Step) -> String {
        self.from.format(if step == Step::Month && self.from.day() == 1 { "%Y-%m" } else { "%Y-%m-%d" }).to_string()
    }
}

/// `[from, to)` cut into steps; the last one may be shorter.
pub fn periods(from: DateTime<Utc>, to: DateTime<Utc>, step: Step) -> Result<Vec<Period>, ReplayError> {
    let starts = (0..=MOST as u32).map(|steps| step.after(from, steps)).take_while(|&start| start < to);
    let starts: Vec<DateTime<Utc>> = starts.collect();
    if starts.is_empty() || starts.len() > MOST {
        let found = if starts.is_empty() { "no".to_owned() } else { format!("more than {MOST}") };
        let (from, to, step) = (from.to_rfc3339(), to.to_rfc3339(), step.to_string());
        return Err(ReplayError::Periods { from, to, step, found, most: MOST });
    }
    let ends = starts.iter().skip(1).copied().chain([to]);
    Ok(starts.iter().zip(ends).map(|(&from, to)| Period { from, to }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn months_do_not_wander_from_their_day() {
        let cut = periods(at("2013-01-31T00:00:00Z"), at("2013-04-10T00:00:00Z"), Step::Month).unwrap();
        let starts: Vec<String> = cut.iter().map(|period| period.name(Step::Month)).collect();
        assert_eq!(starts, ["2013-01-31", "2013-02-28", "2013-03-31"]);
        assert_eq!(cut[2].to, at("2013-04-10T00:00:00Z"));
        assert_eq!(cut[0].to, cut[1].from);
    }

    #[test]
    fn borders_are_midnights_and_firsts_of_months() {
        assert_eq!(Step::Days(7).border(at("2013-02-28T10:00:00Z")), at("2013-03-01T00:00:00Z"));
        assert_eq!(Step::Month.border(at("2013-03-01T00:00:01Z")), at("2013-04-01T00:00:00Z"));
        assert_eq!(Step::Month.border(at("2013-03-01T00:00:00Z")), at("2013-03-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_step_or_no_stretch_is_named() {
        assert_eq!(
            ["day", "week", "month", "2d"].map(|text| text.parse::<Step>().unwrap().to_string()),
            ["day", "week", "month", "2 days"]
        );
        for wrong in ["", "0d", "d", "-1d", "1h", "4000d", "99999999999d"] {
            assert!(wrong.parse::<Step>().is_err(), "{wrong}");
        }
        let (from, to) = (at("2013-01-01T00:00:00Z"), at("2033-01-01T00:00:00Z"));
        assert!(periods(from, to, Step::Days(1)).unwrap_err().to_string().contains("more than 3660"));
        assert!(periods(to, from, Step::Days(1)).unwrap_err().to_string().contains("no periods"));
    }
}
