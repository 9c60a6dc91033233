//! What is simulated.

use std::ops::RangeInclusive;

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::error::ConfigError;
use super::words::MAX_CLUSTERS;

/// Rows a day that one hour's buffer still holds in about 200 MiB.
const MAX_ROWS_PER_DAY: f64 = 1e8;

/// Items that `items.csv` still lists in a few GB.
const MAX_ITEMS: u64 = 100_000_000;

/// A world of users whose interests follow each other by known, drifting probabilities.
///
/// Every probability is a share of 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Two simulations of the same seed and settings are equal, byte for byte.
    pub seed: u64,
    /// Users present on every day; whoever leaves is replaced by a newcomer.
    pub users: u32,
    /// Days of log.
    pub days: u32,
    /// The first day, UTC.
    pub start: NaiveDate,
    /// Interest clusters, with the ids 1 to `clusters`. They are the same whatever the seed.
    pub clusters: u32,
    /// Items of each cluster, equally liked.
    pub items_per_cluster: u32,
    /// Mean events of one user in one day (Poisson, spread evenly over the day).
    pub events_per_day: f64,
    /// Probability that an event which is not noise opens a new interest, instead of watching a recent one again.
    pub discovery: f64,
    /// Probability that a user is gone the next morning. It keeps newcomers, and with them new interests, coming.
    pub churn: f64,
    /// Probability that a new interest is one of the preferred successors of the user's latest two interests; otherwise
    /// it is drawn by popularity.
    pub pair_strength: f64,
    /// Zipf exponent of the clusters' popularity: the r-th most popular weighs `r^-popularity_skew`. 0 is uniform.
    pub popularity_skew: f64,
    /// How the preferred successors change.
    pub drift: Drift,
    /// How a user reacts to what she watches.
    pub engagement: Engagement,
}

/// When the preferred successors of a pair of interests are redrawn. Popularity never changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Drift {
    /// Never.
    None {},
    /// On each day after the first, each pair's with probability `rate`, independently.
    Slow {
        /// Probability a day.
        rate: f64,
    },
    /// Once and for all pairs, on the first day whose number (from 0) is at least `at * days`.
    Sudden {
        /// Share of the days that come before, above 0 and below 1.
        at: f64,
    },
    /// All pairs alternate between two structures, each of which lasts `period` days at a time.
    Seasonal {
        /// Days.
        period: u32,
    },
}

/// How watching differs between an interest and anything else.
///
/// An *engaged* event has `watch_ratio` above 0.8, or a smaller one with `is_like`; any other has `watch_ratio` below
/// 0.8 and no like. So `watch_ratio > 0.8 OR is_like` selects the engaged events exactly. The event that opens an
/// interest is always engaged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engagement {
    /// Probability that an event is noise: an item of a cluster, drawn evenly, that is none of the user's interests.
    pub noise: f64,
    /// Probability that watching an interest again is engaged.
    pub interest: f64,
    /// Probability that noise is engaged all the same.
    pub by_chance: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            users: 2_000,
            days: 30,
            start: NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day of the calendar"),
            clusters: 60,
            items_per_cluster: 50,
            events_per_day: 8.0,
            discovery: 0.25,
            churn: 0.1,
            pair_strength: 0.8,
            popularity_skew: 0.8,
            drift: Drift::default(),
            engagement: Engagement::default(),
        }
    }
}

impl Default for Drift {
    fn default() -> Self {
        Self::Slow { rate: 0.05 }
    }
}

impl Default for Engagement {
    fn default() -> Self {
        Self { noise: 0.15, interest: 0.85, by_chance: 0.02 }
    }
}

impl Config {
    /// Refuses what cannot be simulated, naming the setting and its value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Engagement { noise, interest, by_chance } = self.engagement;
        in_range("users", self.users, 1..=10_000_000)?;
        in_range("days", self.days, 1..=10_000)?;
        in_range("clusters", self.clusters, 4..=MAX_CLUSTERS)?;
        in_range("items_per_cluster", self.items_per_cluster, 1..=1_000_000)?;
        in_range("events_per_day", self.events_per_day, 0.01..=1_000.0)?;
        in_range("popularity_skew", self.popularity_skew, 0.0..=4.0)?;
        share("discovery", self.discovery)?;
        share("churn", self.churn)?;
        share("pair_strength", self.pair_strength)?;
        share("engagement.noise", noise)?;
        share("engagement.interest", interest)?;
        share("engagement.by_chance", by_chance)?;
        self.validate_drift()?;
        self.validate_size()?;
        self.validate_dates()
    }

    fn validate_drift(&self) -> Result<(), ConfigError> {
        match self.drift {
            Drift::None {} => Ok(()),
            Drift::Slow { rate } => share("drift.rate", rate),
            Drift::Sudden { at } if at > 0.0 && at < 1.0 => Ok(()),
            Drift::Sudden { at } => Err(refused("drift.at", at, "it must lie above 0 and below 1")),
            Drift::Seasonal { period } => in_range("drift.period", period, 1..=self.days),
        }
    }

    fn validate_size(&self) -> Result<(), ConfigError> {
        let rows = f64::from(self.users) * self.events_per_day;
        if rows > MAX_ROWS_PER_DAY {
            let rule = format!(
                "with events_per_day {} that makes {rows:.0} rows a day, at most {MAX_ROWS_PER_DAY} are taken",
                self.events_per_day
            );
            return Err(refused("users", self.users, rule));
        }
        let items = u64::from(self.clusters) * u64::from(self.items_per_cluster);
        if items > MAX_ITEMS {
            let rule =
                format!("with {} clusters that makes {items} items, at most {MAX_ITEMS} are taken", self.clusters);
            return Err(refused("items_per_cluster", self.items_per_cluster, rule));
        }
        Ok(())
    }

    fn validate_dates(&self) -> Result<(), ConfigError> {
        let end = self.start.checked_add_days(Days::new(u64::from(self.days)));
        if self.start.year() < 1970 || end.is_none_or(|end| end.year() > 9999) {
            return Err(refused("start", self.start, "all days must lie in the years 1970 to 9999"));
        }
        Ok(())
    }
}

fn share(field: &'static str, value: f64) -> Result<(), ConfigError> {
    in_range(field, value, 0.0..=1.0)
}

fn in_range<T>(field: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), ConfigError>
where
    T: PartialOrd + std::fmt::Display,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(refused(field, value, format!("it must lie between {} and {}", range.start(), range.end())))
}

fn refused(field: &'static str, value: impl ToString, rule: impl Into<String>) -> ConfigError {
    ConfigError { field, value: value.to_string(), rule: rule.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
    }

    #[test]
    fn refusals_name_the_setting_and_its_value() {
        let between =
            |field, value, low, high| format!("simulate.{field} is {value}: it must lie between {low} and {high}");
        assert_eq!(refusal(|c| c.users = 0), between("users", "0", "1", "10000000"));
        assert_eq!(refusal(|c| c.days = 0), between("days", "0", "1", "10000"));
        assert_eq!(refusal(|c| c.clusters = 3), between("clusters", "3", "4", "24960"));
        assert_eq!(refusal(|c| c.clusters = 24_961), between("clusters", "24961", "4", "24960"));
        assert_eq!(refusal(|c| c.items_per_cluster = 0), between("items_per_cluster", "0", "1", "1000000"));
        assert_eq!(refusal(|c| c.events_per_day = 0.0), between("events_per_day", "0", "0.01", "1000"));
        assert_eq!(refusal(|c| c.popularity_skew = -1.0), between("popularity_skew", "-1", "0", "4"));
        assert_eq!(refusal(|c| c.discovery = 1.5), between("discovery", "1.5", "0", "1"));
        assert_eq!(refusal(|c| c.churn = -0.1), between("churn", "-0.1", "0", "1"));
        assert_eq!(refusal(|c| c.pair_strength = f64::NAN), between("pair_strength", "NaN", "0", "1"));
        assert_eq!(refusal(|c| c.engagement.noise = 2.0), between("engagement.noise", "2", "0", "1"));
        assert_eq!(refusal(|c| c.engagement.interest = 2.0), between("engagement.interest", "2", "0", "1"));
        assert_eq!(refusal(|c| c.engagement.by_chance = 2.0), between("engagement.by_chance", "2", "0", "1"));
        assert_eq!(refusal(|c| c.drift = Drift::Slow { rate: 7.0 }), between("drift.rate", "7", "0", "1"));
        assert_eq!(refusal(|c| c.drift = Drift::Seasonal { period: 31 }), between("drift.period", "31", "1", "30"));
        assert!(refusal(|c| c.drift = Drift::Sudden { at: 1.0 }).contains("drift.at is 1:"));
        assert!(refusal(|c| c.start = NaiveDate::from_ymd_opt(9999, 12, 20).unwrap()).contains("start is 9999-12-20"));
        let absurd = |c: &mut Config| (c.users, c.events_per_day) = (10_000_000, 11.0);
        assert!(refusal(absurd).contains("users is 10000000: with events_per_day 11 that makes 110000000"));
        let absurd = |c: &mut Config| (c.clusters, c.items_per_cluster) = (20_000, 10_000);
        assert!(refusal(absurd).contains("items_per_cluster is 10000: with 20000 clusters that makes 200000000"));
    }

    #[test]
    fn unknown_settings_are_refused() {
        for unknown in [
            r#"{"user": 3}"#,
            r#"{"engagement": {"nois": 0.1}}"#,
            r#"{"drift": {"kind": "none", "rate": 0.1}}"#,
            r#"{"drift": {"kind": "slow", "rate": 0.1, "at": 1}}"#,
            r#"{"drift": {"kind": "fast"}}"#,
            r#"{"drift": {"kind": "slow"}}"#,
        ] {
            assert!(serde_json::from_str::<Config>(unknown).is_err(), "{unknown}");
        }
        let drift = serde_json::from_str::<Config>(r#"{"drift": {"kind": "seasonal", "period": 7}}"#).unwrap().drift;
        assert_eq!(drift, Drift::Seasonal { period: 7 });
    }
}
