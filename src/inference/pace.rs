//! How fast a run goes, and how long it still takes.

use std::fmt;
use std::time::{Duration, Instant};

use super::budget::Spent;

/// How often a run tells where it stands.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Questions that ended.
    pub done: u64,
    /// Questions.
    pub total: u64,
    /// Questions a second so far.
    pub per_second: f64,
    /// At this pace.
    pub remaining: Option<Duration>,
    /// What the run took so far.
    pub spent: Spent,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.spent.usage;
        write!(f, "{:.1} questions/s, {} + {} tokens", self.per_second, usage.prompt + usage.shared, usage.answer)?;
        if usage.shared > 0 {
            write!(f, " ({} shared)", usage.shared)?;
        }
        if self.spent.cost > 0.0 {
            write!(f, ", {:.2} spent", self.spent.cost)?;
        }
        match self.remaining {
            Some(left) => write!(f, ", {} to go", humantime::format_duration(Duration::from_secs(left.as_secs()))),
            None => Ok(()),
        }
    }
}

/// Measures.
pub(super) struct Pace {
    began: Instant,
    told: Instant,
    done: u64,
    total: u64,
}

impl Pace {
    pub(super) fn new(total: u64) -> Self {
        let now = Instant::now();
        Self { began: now, told: now, done: 0, total }
    }

    /// Whether a while has passed since this was last so.
    pub(super) fn is_worth_telling(&mut self) -> bool {
        let worth = self.told.elapsed() >= TELL_EVERY;
        if worth {
            self.told = Instant::now();
        }
        worth
    }

    pub(super) fn step(&mut self) {
        self.done += 1;
    }

    /// `None` before anything is done.
    pub(super) fn per_second(&self) -> Option<f64> {
        let seconds = self.began.elapsed().as_secs_f64();
        (self.done > 0 && seconds > 0.0).then(|| self.done as f64 / seconds)
    }

    pub(super) fn progress(&self, spent: Spent) -> Progress {
        let (done, total) = (self.done, self.total);
        let per_second = self.per_second().unwrap_or(0.0);
        let seconds = total.saturating_sub(done) as f64 / per_second;
        Progress { done, total, per_second, remaining: Duration::try_from_secs_f64(seconds).ok(), spent }
    }
}
