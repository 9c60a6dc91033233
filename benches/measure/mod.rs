//! What benches share that measure whole processes: what one took, and what many runs say together.

#![allow(dead_code, reason = "each bench uses its part")]

mod process;
mod stats;

pub(crate) use process::{Taken, run};
pub(crate) use stats::{Sample, ratios};

/// Anything may go wrong in a bench, and all of it ends the bench.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// `1M`, `30M`, `2500` as a number.
pub(crate) fn number(text: &str) -> Outcome<u64> {
    let units = [("M", 1_000_000), ("k", 1_000), ("", 1)];
    let parsed = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)));
    let (digits, unit) = parsed.ok_or("every text ends in nothing")?;
    Ok(digits.parse::<u64>().map_err(|_| format!("`{text}` is no number such as 30M"))? * unit)
}

/// The shortest way to write a number of rows or keys: `30 M`.
pub(crate) fn short(number: u64) -> String {
    match number {
        millions if millions % 1_000_000 == 0 => format!("{} M", millions / 1_000_000),
        other => other.to_string(),
    }
}
