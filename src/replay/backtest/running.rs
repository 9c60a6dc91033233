//! One policy on its way through a log.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Period;
use super::fresh::{Counted, Fresh};
use super::policy::Policy;
use super::report::Decided;
use crate::evaluation::{Ageing, Cadence, decide};
use crate::replay::ageing::ageing;
use crate::replay::asking::Asking;
use crate::replay::error::ReplayError;
use crate::replay::tally::Tally;

/// A policy, what it has published, and what that came to.
pub(super) struct Running {
    pub(super) policy: Policy,
    live: Option<(DateTime<Utc>, Arc<Counted>)>,
    asked: HashSet<u64>,
    /// When it refreshed, the first time included, and what was asked then.
    pub(super) refreshes: Vec<(DateTime<Utc>, u64)>,
    pub(super) decided: Vec<Decided>,
    pub(super) tally: Tally,
}

impl Running {
    pub(super) fn new(policy: Policy) -> Self {
        let (refreshes, decided) = (Vec::new(), Vec::new());
        Self { policy, live: None, asked: HashSet::new(), refreshes, decided, tally: Tally::default() }
    }

    /// Whether a fresh table is needed to go on.
    pub(super) fn may_refresh(&self, at: DateTime<Utc>, cadence: &Cadence) -> bool {
        let Some((since, _)) = self.live else { return true };
        match self.policy {
            Policy::Fixed(days) => at - since >= TimeDelta::days(i64::from(days)),
            Policy::Adaptive => (at - since).to_std().is_ok_and(|age| age >= cadence.min),
            Policy::OnDemand => false,
        }
    }

    /// Publishes what is fresh, if it is time to.
    pub(super) fn consider(
        &mut self,
        fresh: &Fresh,
        at: DateTime<Utc>,
        cadence: &Cadence,
        asking: &Asking<'_>,
    ) -> Result<(), ReplayError> {
        let mut publish = self.may_refresh(at, cadence);
        if let (Policy::Adaptive, true, Some((since, live))) = (self.policy, publish, &self.live) {
            let calls = fresh.questions.difference(&self.asked).count() as u64;
            let since = Period { from: *since, to: at };
            let measured = ageing(live, &fresh.table, asking.users, since, asking.n, asking.horizon)?;
            let decision = decide(cadence, &Ageing { calls, ..measured });
            self.decided.push(Decided { at, decision });
            publish = decision.refresh;
        }
        if publish {
            let before = self.asked.len();
            self.asked.extend(fresh.questions.iter());
            self.refreshes.push((at, (self.asked.len() - before) as u64));
            self.live = Some((at, Arc::clone(&fresh.table)));
        }
        Ok(())
    }

    /// Answers what is asked on a day.
    pub(super) fn answer(&mut self, asking: &Asking<'_>, day: &Period) -> Result<(), ReplayError> {
        match &self.live {
            Some((_, table)) => asking.table(&self.policy.to_string(), table, day, &mut self.tally),
            None => Ok(()),
        }
    }
}
