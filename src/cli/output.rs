//! Writing data to stdout, and all else to stderr. Neither panics when nobody reads.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// Prints a value as one JSON document.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Prints one line of data.
pub(super) fn line(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Says how things go, to whoever still listens.
pub(super) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes, each told once: many errors of the library quote their cause already.
pub(super) fn told(error: &anyhow::Error) -> String {
    let root = error.root_cause().to_string();
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if told.contains(&root) {
            break;
        }
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Prints rows in columns, the first row being the header.
pub(super) fn columns(rows: &[Vec<String>]) -> io::Result<()> {
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let mut out = io::stdout().lock();
    for row in rows {
        let padded = row.iter().enumerate().map(|(at, cell)| format!("{cell:<width$}", width = width(at)));
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Whether a reader like `head` simply had enough.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref().is_some_and(broken)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let plain = Err::<(), _>(anyhow!("refused")).context("connecting").context("no server answers");
        assert_eq!(told(&plain.unwrap_err()), "no server answers: connecting: refused");
        let quoting = Err::<(), _>(anyhow!("refused")).context("External: refused").context("counting: refused");
        assert_eq!(told(&quoting.unwrap_err()), "counting: refused");
    }
}
