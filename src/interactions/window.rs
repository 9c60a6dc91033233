//! A stretch of time `[from, to)`, open where a bound is absent.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};

/// The instants `from <= t < to`, in UTC; an absent bound is open. The default holds all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The first instant inside.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after it.
    pub to: Option<DateTime<Utc>>,
}

/// Why two bounds make no window.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Neither a date nor RFC 3339.
    #[error("`{text}` ({bound}) is not a time: write a date (2026-01-31) or RFC 3339 (2026-01-31T18:00:00Z)")]
    Time {
        /// Which bound: `from` or `to`.
        bound: &'static str,
        /// What it said.
        text: String,
    },
    /// Nothing lies between the bounds.
    #[error("the window from {from} to {to} holds no time: `to` must be later than `from`")]
    Empty {
        /// The lower bound.
        from: String,
        /// The upper bound.
        to: String,
    },
}

impl Window {
    /// Reads bounds written as dates (midnight UTC) or as RFC 3339.
    pub fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self, WindowError> {
        let from = from.map(|text| parse_time("from", text)).transpose()?;
        let to = to.map(|text| parse_time("to", text)).transpose()?;
        match (from, to) {
            (Some(from), Some(to)) if from >= to => Err(WindowError::Empty { from: written(from), to: written(to) }),
            _ => Ok(Self { from, to }),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = [self.from, self.to].map(|bound| bound.map_or("...".to_owned(), written));
        write!(f, "[{from}, {to})")
    }
}

fn parse_time(bound: &'static str, text: &str) -> Result<DateTime<Utc>, WindowError> {
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).or_else(|_| date());
    time.map_err(|_| WindowError::Time { bound, text: text.to_owned() })
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_dates_or_rfc_3339_in_utc() {
        let window = Window::parse(Some("2026-01-31"), Some("2026-02-01T01:00:00.5+01:00")).unwrap();
        assert_eq!(window.to_string(), "[2026-01-31T00:00:00Z, 2026-02-01T00:00:00.500Z)");
        assert_eq!(Window::parse(None, None).unwrap().to_string(), "[..., ...)");
    }

    #[test]
    fn what_is_no_window_is_named() {
        for wrong in ["", "yesterday", "2026-13-01", "2026-01-01T00:00:00", "31.01.2026"] {
            let error = Window::parse(None, Some(wrong)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}` (to)")), "{error}");
        }
        for to in ["2026-01-01", "2025-12-31"] {
            assert!(matches!(Window::parse(Some("2026-01-01"), Some(to)), Err(WindowError::Empty { .. })));
        }
    }
}
