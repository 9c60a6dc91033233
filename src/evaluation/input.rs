//! Input: whether the newest days of the log are all there.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Days that a day is compared with.
const TRAILING: usize = 7;
/// Fewer days before it say nothing of a day.
const LEAST_TRAILING: usize = 3;

/// The days that no version was made from yet, and the newest in any case, beside what was usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Oldest first.
    pub days: Vec<Day>,
}

/// One day (UTC) of the log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// The day.
    pub day: NaiveDate,
    /// Its positives.
    pub positives: u64,
    /// The median of the days before it in the window, seven at most.
    pub median: f64,
}

impl Input {
    /// `daily` holds the days that have positives, in order; the window ends before `to`, and the version that is live
    /// was made from a window that ended before `live_to`. `None` where there are too few days to compare with.
    pub fn of(daily: &[(NaiveDate, u64)], to: DateTime<Utc>, live_to: Option<DateTime<Utc>>) -> Option<Self> {
        let newest = last_day(to);
        let (first, _) = *daily.first()?;
        let all = filled(daily, first, newest);
        let since = live_to.map_or(newest, last_day).min(newest);
        let days: Vec<Day> = (LEAST_TRAILING..all.len())
            .filter(|&at| all[at].0 > since || all[at].0 == newest)
            .map(|at| {
                let median = median(&all[at.saturating_sub(TRAILING)..at]);
                Day { day: all[at].0, positives: all[at].1, median }
            })
            .collect();
        (!days.is_empty()).then_some(Self { days })
    }
}

/// The day of the last instant before `to`.
fn last_day(to: DateTime<Utc>) -> NaiveDate {
    (to - TimeDelta::nanoseconds(1)).date_naive()
}

/// Every day from `first` to `newest`; those without positives have none.
fn filled(daily: &[(NaiveDate, u64)], first: NaiveDate, newest: NaiveDate) -> Vec<(NaiveDate, u64)> {
    let mut known = daily.iter().copied().peekable();
    let days = first.iter_days().take_while(|&day| day <= newest);
    days.map(|day| (day, known.next_if(|&(known, _)| known == day).map_or(0, |(_, positives)| positives))).collect()
}

/// Of one day or more.
fn median(days: &[(NaiveDate, u64)]) -> f64 {
    let mut positives: Vec<u64> = days.iter().map(|&(_, positives)| positives).collect();
    positives.sort_unstable();
    let half = positives.len() / 2;
    if positives.len() % 2 == 1 { positives[half] as f64 } else { (positives[half - 1] + positives[half]) as f64 / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_day_is_told_beside_the_days_before() {
        let daily: Vec<_> = (1..=10).map(|d| (day(d), u64::from(d) * 10)).collect();
        let input = Input::of(&daily, at("2026-01-10T08:00:00Z"), None).unwrap();
        assert_eq!(input.days, [Day { day: day(10), positives: 100, median: 60.0 }]);
    }

    #[test]
    fn days_without_rows_are_days_and_the_window_ends_where_it_was_told_to() {
        let daily = [1, 2, 3, 5].map(|d| (day(d), 10));
        let input = Input::of(&daily, at("2026-01-08T00:00:00Z"), Some(at("2026-01-04T00:00:00Z"))).unwrap();
        let told: Vec<_> = input.days.iter().map(|d| (d.day, d.positives, d.median)).collect();
        assert_eq!(told, [(day(4), 0, 10.0), (day(5), 10, 10.0), (day(6), 0, 10.0), (day(7), 0, 10.0)]);
    }

    #[test]
    fn days_that_are_live_are_not_judged_again_and_few_days_say_nothing() {
        let daily: Vec<_> = (1..=9).map(|d| (day(d), 10)).collect();
        let to = at("2026-01-10T00:00:00Z");
        let days = |live_to| Input::of(&daily, to, Some(at(live_to))).unwrap().days.len();
        assert_eq!(days("2026-01-07T12:00:00Z"), 2);
        assert_eq!(days("2026-01-20T00:00:00Z"), 1);
        assert_eq!(Input::of(&daily[..3], at("2026-01-04T00:00:00Z"), None), None);
        assert_eq!(Input::of(&[], to, None), None);
    }
}
