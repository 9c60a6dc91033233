//! One policy on its way through a log.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Period;
use super::fresh::{Counted, Fresh, stability};
use super::policy::Policy;
use super::report::Decided;
use crate::evaluation::{Ageing, Cadence, decide};
use crate::interactions::Meeting;
use crate::replay::asking::Asking;
use crate::replay::error::ReplayError;
use crate::replay::tally::Tally;

/// Times that users are drawn anew for a decision's interval.
const RESAMPLES: usize = 500;

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
            let ageing = Ageing { age: (at - *since).as_seconds_f64() / 86_400.0, calls, ..Ageing::default() };
            let ageing = ageing_of(ageing, live, &fresh.table, Period { from: *since, to: at }, asking)?;
            let decision = decide(cadence, &ageing);
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

/// What the live table lost against a fresh one by what the users asked have done since, as far as that is known by now.
fn ageing_of(
    ageing: Ageing,
    live: &Counted,
    fresh: &Counted,
    since: Period,
    asking: &Asking<'_>,
) -> Result<Ageing, ReplayError> {
    let known = |met: &Vec<Meeting>| met[..met.partition_point(|meeting| meeting.at < since.to)].to_vec();
    let users: Vec<Vec<Meeting>> = asking.users.iter().map(known).collect();
    let asking = Asking { users: &users, periods: &[since], ..*asking };
    let (of_live, of_fresh) =
        (asking.unseen("the live table", live, &since)?, asking.unseen("a fresh table", fresh, &since)?);
    let loss = of_fresh.over(&of_live, RESAMPLES).map(|(_, served_n)| served_n);
    let rate = of_live.finish("live", 1, true, 0).map(|rates| rates.overall.served_n.value);
    Ok(Ageing { loss, live: rate, stability: stability(live, fresh), ..ageing })
}
