//! Versions through time: which table answers from when on.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::ReplayError;
use super::step::{Period, Step, periods};
use crate::interactions::Window;
use crate::table::{self, MinCount, Table};

/// A version with the name that the report calls it by.
#[derive(Debug)]
pub struct Compared<B> {
    /// Its name.
    pub name: String,
    /// What it is.
    pub version: Version<B>,
}

/// What is compared.
#[derive(Debug)]
pub enum Version<B> {
    /// A table counted from the window before, again and again or once.
    Counted {
        /// When it is counted.
        refresh: Refresh,
        /// Which rows it has.
        rows: Rows,
    },
    /// Clusters drawn at random among those that are new to the user: its expectation.
    Random,
    /// Tables of a store, each from where its window ends on (and that of its model's tuning), the newest such one answering.
    Stored(Vec<Stored<B>>),
}

/// When a table is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// At the start, and a step after each time.
    Every(Step),
    /// At the start, and held fixed.
    Once,
    /// At a moment, which must not lie behind the start, and held fixed.
    At(DateTime<Utc>),
}

/// The rows of a counted table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Of every key with the support that the settings ask for.
    Configured,
    /// Of every key with this support.
    Supported(MinCount),
    /// None: it answers with what is popular and new to the user.
    None,
}

impl Rows {
    /// What such a table is built by, and whether it has rows.
    pub(super) fn settings(&self, table: &table::Config) -> (table::Config, bool) {
        match self {
            Self::Configured => (table.clone(), true),
            Self::Supported(min_count) => (table::Config { min_count: min_count.clone(), ..table.clone() }, true),
            Self::None => (table.clone(), false),
        }
    }
}

/// A table of a store.
#[derive(Debug)]
pub struct Stored<B> {
    /// Its version, as people see it.
    pub name: String,
    /// The table; its lineage says what it knows.
    pub table: Arc<Table<B>>,
}

// Derived, it would ask the same of `B`.
impl<B> Clone for Stored<B> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), table: Arc::clone(&self.table) }
    }
}

/// What answers during one period.
pub(super) enum Answering<B> {
    Counted { window: Window, rows: Rows },
    Random,
    Stored(Stored<B>),
}

impl<B> Version<B> {
    /// Which table answers when in `[from, to)`.
    pub(super) fn stretches(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        window: Step,
    ) -> Result<Vec<(Period, Answering<B>)>, ReplayError>
    where
        B: AsRef<[u8]>,
    {
        let whole = Period { from, to };
        match self {
            Self::Random => Ok(vec![(whole, Answering::Random)]),
            Self::Counted { refresh, rows } => {
                let counted = |at| Answering::Counted {
                    window: Window { from: Some(window.before(at)), to: Some(at) },
                    rows: rows.clone(),
                };
                let stretches = match refresh {
                    Refresh::Every(step) => periods(from, to, *step)?,
                    Refresh::Once => vec![whole],
                    Refresh::At(at) => return Ok(vec![(whole, counted(*at))]),
                };
                Ok(stretches.into_iter().map(|stretch| (stretch, counted(stretch.from))).collect())
            }
            Self::Stored(tables) => stored(tables, whole),
        }
    }
}

/// Each table from the end of what it knows to the next one's; the first one's must have come by the start.
fn stored<B: AsRef<[u8]>>(tables: &[Stored<B>], whole: Period) -> Result<Vec<(Period, Answering<B>)>, ReplayError> {
    let ended = |stored: &Stored<B>| {
        let unknown = || ReplayError::UnknownWindow { version: stored.name.clone() };
        Ok((stored.table.lineage().knows_to().ok_or_else(unknown)?, stored.clone()))
    };
    let mut tables = tables.iter().map(ended).collect::<Result<Vec<_>, ReplayError>>()?;
    tables.sort_by_key(|&(to, _)| to);
    let mut stretches = Vec::new();
    let mut next = whole.to;
    while let Some((ended, stored)) = tables.pop() {
        let stretch = Period { from: ended.max(whole.from), to: next };
        if stretch.from < stretch.to {
            next = stretch.from;
            stretches.push((stretch, Answering::Stored(stored.clone())));
        }
        if next == whole.from {
            break;
        }
        if tables.is_empty() {
            let (knows_to, asked) = (ended.to_rfc3339(), whole.from.to_rfc3339());
            return Err(ReplayError::LookAhead { version: stored.name, knows_to, asked });
        }
    }
    stretches.reverse();
    Ok(stretches)
}
