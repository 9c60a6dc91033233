//! When the adaptive policy looks whether a day of log has come.

use std::time::{Duration, Instant};

use crate::refresh::config::Policy;
use crate::refresh::pipeline::Settings;
use crate::refresh::steps::weigh::Seen;

/// Looks at the start, and then every `refresh.look`.
pub(super) struct Looks {
    every: Duration,
    next: Option<Instant>,
    problem: String,
    /// What the last look came upon.
    pub(super) seen: Option<Seen>,
}

impl Looks {
    pub(super) fn new(settings: &Settings) -> Self {
        let next = (settings.refresh.policy == Policy::Adaptive).then(Instant::now);
        Self { every: settings.refresh.look, next, problem: String::new(), seen: None }
    }

    pub(super) fn left(&self) -> Duration {
        self.next.map_or(Duration::MAX, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Nothing failed: the same problem is news again.
    pub(super) fn fine(&mut self) {
        self.problem.clear();
    }

    pub(super) fn looked(&mut self) {
        self.next = Instant::now().checked_add(self.every);
    }

    /// Tells a problem, unless it is the same as before.
    pub(super) fn failed(&mut self, problem: &str) {
        if self.problem != problem {
            tracing::error!("whether to refresh cannot be weighed: {problem}");
            self.problem = problem.to_owned();
        }
    }
}
