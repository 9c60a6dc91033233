//! Answers that have been of no use for long are removed, and the file gives their room back.
//!
//! Age counts up to the day of the last run, not up to today: whoever refreshes again after a pause finds everything. A
//! kill at any moment leaves whole transactions; the next sweep goes on.

use std::fmt;
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableError};
use serde::Serialize;

use super::{ANSWERS, AT_ONCE, Answers, DAYS, LAST, USES};
use crate::inference::error::InferenceError;

const DAY: u64 = 24 * 60 * 60;
/// The file is written anew where it is more than twice as long as what is in it, and so many bytes are in question.
const WORTH_WHILE: u64 = 4 << 20;

/// What a sweep came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Answers that were, or would be, removed.
    pub removed: u64,
    /// Answers that are left.
    pub kept: u64,
    /// The file's length afterwards.
    pub bytes: u64,
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { removed, kept, bytes } = self;
        write!(
            f,
            "{removed} of the model's answers of no use for long, {kept} are kept in {}",
            bytesize::ByteSize(*bytes)
        )
    }
}

impl Answers {
    /// Sweeps the answers of the store at `dir`, as [`Answers::sweep`] does; `None` where none are kept.
    pub fn sweep_in(dir: &Path, keep: Duration, dry_run: bool) -> Result<Option<Swept>, InferenceError> {
        let path = dir.join(Self::FILE);
        if path.exists() { Self::open(&path)?.sweep(keep, dry_run).map(Some) } else { Ok(None) }
    }

    /// Tells that a run rests on the answers to these questions.
    pub fn used(&self, keys: &[u128]) -> Result<(), InferenceError> {
        let mut keys = keys.to_vec();
        // In the order of the file.
        keys.sort_unstable();
        for keys in keys.chunks(AT_ONCE) {
            let write = || -> Result<(), redb::Error> {
                let writing = self.database.begin_write()?;
                {
                    let mut uses = writing.open_table(USES)?;
                    for key in keys {
                        if uses.get(key)?.is_none_or(|day| day.value() != self.today) {
                            uses.insert(key, self.today)?;
                        }
                    }
                    writing.open_table(DAYS)?.insert(LAST, self.today)?;
                }
                Ok(writing.commit()?)
            };
            write().map_err(|error| self.failed("cannot be written", error))?;
        }
        Ok(())
    }

    /// Removes the answers that no run has rested on for more than `keep`, in whole days, before the last run; with
    /// `dry_run` counts them.
    pub fn sweep(&mut self, keep: Duration, dry_run: bool) -> Result<Swept, InferenceError> {
        let swept = self.swept(keep, dry_run).map_err(|error| self.failed("cannot be swept", error))?;
        if swept.removed > 0 && !dry_run && self.is_worth_compacting()? {
            self.database.compact().map_err(|error| self.failed("cannot be made smaller", error))?;
        }
        Ok(Swept { bytes: self.bytes()?, ..swept })
    }

    fn swept(&self, keep: Duration, dry_run: bool) -> Result<Swept, redb::Error> {
        let days = i32::try_from(keep.as_secs().div_ceil(DAY)).unwrap_or(i32::MAX);
        let oldest = self.adopt()?.saturating_sub(days);
        let (mut removed, mut from) = (0, Bound::Unbounded);
        loop {
            let stale = self.stale(from, oldest)?;
            let Some(last) = stale.last() else { break };
            from = Bound::Excluded(*last);
            removed += stale.len() as u64;
            if !dry_run {
                self.remove(&stale)?;
            }
        }
        let left = self.database.begin_read()?.open_table(ANSWERS)?.len()?;
        Ok(Swept { removed, kept: if dry_run { left - removed.min(left) } else { left }, bytes: 0 })
    }

    /// The day of the last run. Answers without a day, which another build kept, get that one.
    fn adopt(&self) -> Result<i32, redb::Error> {
        let writing = self.database.begin_write()?;
        let last = {
            let (answers, mut uses) = (writing.open_table(ANSWERS)?, writing.open_table(USES)?);
            let last = writing.open_table(DAYS)?.get(LAST)?.map_or(self.today, |day| day.value());
            if uses.len()? < answers.len()? {
                for answer in answers.iter()? {
                    let key = answer?.0.value();
                    if uses.get(key)?.is_none() {
                        uses.insert(key, last)?;
                    }
                }
            }
            last
        };
        writing.commit()?;
        Ok(last)
    }

    /// The next answers that were last used before the day `oldest`, in order of key.
    fn stale(&self, from: Bound<u128>, oldest: i32) -> Result<Vec<u128>, redb::Error> {
        let uses = match self.database.begin_read()?.open_table(USES) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            uses => uses?,
        };
        let mut stale = Vec::new();
        for used in uses.range::<u128>((from, Bound::Unbounded))? {
            let (key, day) = used?;
            if day.value() < oldest {
                stale.push(key.value());
            }
            if stale.len() == AT_ONCE {
                break;
            }
        }
        Ok(stale)
    }

    fn remove(&self, keys: &[u128]) -> Result<(), redb::Error> {
        let writing = self.database.begin_write()?;
        {
            let (mut answers, mut uses) = (writing.open_table(ANSWERS)?, writing.open_table(USES)?);
            for key in keys {
                answers.remove(key)?;
                uses.remove(key)?;
            }
        }
        Ok(writing.commit()?)
    }

    fn is_worth_compacting(&self) -> Result<bool, InferenceError> {
        let in_use = || -> Result<u64, redb::Error> {
            let writing = self.database.begin_write()?;
            let stats = writing.stats()?;
            writing.abort()?;
            Ok(stats.allocated_pages() * stats.page_size() as u64)
        };
        let in_use = in_use().map_err(|error| self.failed("cannot be read", error))?;
        let bytes = self.bytes()?;
        Ok(bytes > WORTH_WHILE && bytes / 2 > in_use)
    }

    fn bytes(&self) -> Result<u64, InferenceError> {
        let length = std::fs::metadata(&self.path).map(|told| told.len());
        length.map_err(|error| self.failed("cannot be read", redb::Error::Io(error)))
    }
}
