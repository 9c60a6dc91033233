//! Instants: from whatever a log calls a time to nanoseconds since 1970 in UTC.

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::{Expr, lit, try_cast};
use datafusion::scalar::ScalarValue;

use super::config::TimestampUnit;
use super::window::Window;

/// The instants that are readable, 1700-01-01 up to (excluding) 2200-01-01, in seconds. Nanoseconds in 64 bits reach
/// from 1677 to 2262; the margin keeps `ts + gap` within them, for gaps up to [`MAX_GAP_SECONDS`].
const RANGE_SECONDS: (i64, i64) = (-8_520_336_000, 7_258_118_400);

/// 60 years: see [`RANGE_SECONDS`].
pub(super) const MAX_GAP_SECONDS: u64 = 60 * 365 * 86_400;

/// The type of every instant: nanoseconds since 1970, in UTC (and therefore without a zone).
pub(super) const INSTANT: DataType = DataType::Timestamp(TimeUnit::Nanosecond, None);

/// Why a column cannot be read as instants.
pub(super) enum Untimely {
    /// Integers of which the config does not say what they count.
    NoUnit,
    /// No type of time at all.
    Type,
}

/// The instants of `column`, null where unreadable.
pub(super) fn instants(column: Expr, stored: &DataType, unit: Option<TimestampUnit>) -> Result<Expr, Untimely> {
    use DataType::{Date32, Date64, Timestamp, Utf8View};
    match (stored, unit) {
        (&INSTANT, _) => Ok(column),
        (Timestamp(..) | Date32, _) | (Utf8View, None) => Ok(try_cast(column, INSTANT)),
        // Straight to nanoseconds this cast would wrap around.
        (Date64, _) => Ok(try_cast(try_cast(column, Timestamp(TimeUnit::Millisecond, None)), INSTANT)),
        (Utf8View, Some(unit)) => Ok(counted(column, unit)),
        (integer, Some(unit)) if integer.is_integer() => Ok(counted(column, unit)),
        (integer, None) if integer.is_integer() => Err(Untimely::NoUnit),
        _ => Err(Untimely::Type),
    }
}

fn counted(column: Expr, unit: TimestampUnit) -> Expr {
    let unit = match unit {
        TimestampUnit::Seconds => TimeUnit::Second,
        TimestampUnit::Milliseconds => TimeUnit::Millisecond,
        TimestampUnit::Microseconds => TimeUnit::Microsecond,
        TimestampUnit::Nanoseconds => TimeUnit::Nanosecond,
    };
    try_cast(try_cast(try_cast(column, DataType::Int64), DataType::Timestamp(unit, None)), INSTANT)
}

/// The nanoseconds between two neighbouring values of a column of times.
pub(super) fn resolution(stored: &DataType, unit: Option<TimestampUnit>) -> i64 {
    use DataType::{Date64, Timestamp};
    match (stored, unit) {
        (Timestamp(TimeUnit::Second, _), _) => 1_000_000_000,
        (Timestamp(TimeUnit::Millisecond, _) | Date64, _) => 1_000_000,
        (Timestamp(TimeUnit::Microsecond, _), _) => 1_000,
        (Timestamp(TimeUnit::Nanosecond, _), _) | (_, None | Some(TimestampUnit::Nanoseconds)) => 1,
        (_, Some(TimestampUnit::Seconds)) => 1_000_000_000,
        (_, Some(TimestampUnit::Milliseconds)) => 1_000_000,
        (_, Some(TimestampUnit::Microseconds)) => 1_000,
    }
}

/// The window whose bounds are multiples of `resolution`, and which selects the same instants of a column that knows
/// nothing finer. The engine compares in the column's own unit and cuts off what its bounds have beyond it; here they
/// are rounded up, which is what `>=` and `<` mean.
pub(super) fn aligned(window: &Window, resolution: i64) -> Window {
    let up = |time: DateTime<Utc>| {
        let nanoseconds = within_range(time).timestamp_nanos_opt()?;
        let beyond = nanoseconds.rem_euclid(resolution);
        Some(DateTime::from_timestamp_nanos(nanoseconds + if beyond == 0 { 0 } else { resolution - beyond }))
    };
    Window { from: window.from.map(|from| up(from).unwrap_or(from)), to: window.to.map(|to| up(to).unwrap_or(to)) }
}

/// Whether `instant` can be used: neither null nor out of range.
pub(super) fn is_readable(instant: &Expr) -> Expr {
    let (first, end) = RANGE_SECONDS;
    instant.clone().gt_eq(at_second(first)).and(instant.clone().lt(at_second(end)))
}

/// Whether `instant` lies in `window`.
pub(super) fn is_within(instant: &Expr, window: &Window) -> Expr {
    let bound = |time| at_nanosecond(within_range(time).timestamp_nanos_opt());
    let from = window.from.map(|from| instant.clone().gt_eq(bound(from)));
    let to = window.to.map(|to| instant.clone().lt(bound(to)));
    from.into_iter().chain(to).reduce(Expr::and).unwrap_or_else(|| lit(true))
}

/// The bound of a window that selects the same instants as `time` and can be written in nanoseconds.
pub(super) fn within_range(time: DateTime<Utc>) -> DateTime<Utc> {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(time);
    time.clamp(at(RANGE_SECONDS.0), at(RANGE_SECONDS.1))
}

fn at_second(seconds: i64) -> Expr {
    at_nanosecond(Some(seconds * 1_000_000_000))
}

fn at_nanosecond(nanoseconds: Option<i64>) -> Expr {
    lit(ScalarValue::TimestampNanosecond(nanoseconds, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_what_its_comment_says_and_fits_nanoseconds_with_the_longest_gap() {
        let (first, end) = RANGE_SECONDS;
        let written = |seconds| DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339();
        assert_eq!(written(first), "1700-01-01T00:00:00+00:00");
        assert_eq!(written(end), "2200-01-01T00:00:00+00:00");
        let latest = end + i64::try_from(MAX_GAP_SECONDS).unwrap();
        assert!(latest.checked_mul(1_000_000_000).is_some());
    }
}
