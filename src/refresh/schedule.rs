//! When the next run begins.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::config::{Cadence, Fixed, Policy};

/// The first wait after a failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// The longest wait after a failure.
const LAST_RETRY: Duration = Duration::from_secs(60 * 60);

/// Tries again after failures: a minute later at first, and an hour later at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Retries {
    failures: u32,
    last: Option<DateTime<Utc>>,
}

impl Retries {
    /// Notes a try, from which the next wait is counted.
    pub(super) fn tried(&mut self, at: DateTime<Utc>, succeeded: bool) {
        self.last = Some(at);
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
    }

    /// When it is tried again; `None` unless the last try failed.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        let doublings = self.failures.checked_sub(1)?.min(16);
        let wait = FIRST_RETRY.saturating_mul(1 << doublings).min(LAST_RETRY);
        self.last?.checked_add_signed(signed(wait))
    }
}

/// Follows a [`Policy`] from refresh to refresh.
#[derive(Clone, Debug)]
pub struct Schedule {
    policy: Policy,
    last: Option<DateTime<Utc>>,
    retries: Retries,
}

impl Schedule {
    /// `last` is when the live version was made, where there is one.
    pub fn new(policy: Policy, last: Option<DateTime<Utc>>) -> Self {
        Self { policy, last, retries: Retries::default() }
    }

    /// Notes a run that began at `began`.
    pub fn ran(&mut self, began: DateTime<Utc>, succeeded: bool) {
        self.last = Some(began);
        self.retries.tried(began, succeeded);
    }

    /// Whether nothing has run yet, and nothing is live.
    pub fn is_at_its_beginning(&self) -> bool {
        self.last.is_none()
    }

    /// When the next run is due, at or after `now`; `None` when only asking starts one. Without any version yet, or
    /// when a run was missed, that is `now`. After a failure it is tried again sooner than the schedule says, a minute
    /// later at first and an hour later at most.
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let planned = match (&self.policy, self.last) {
            (Policy::OnDemand, _) => return None,
            (_, None) => Some(now),
            // What is weighed, and when, is not for a clock to say.
            (Policy::Adaptive, Some(_)) => None,
            (Policy::Fixed(Fixed { refresh, .. }), Some(last)) => match refresh {
                Cadence::Every(every) => last.checked_add_signed(signed(*every)),
                // From the last run, so that a time that passed while nothing ran is made up for.
                Cadence::Cron(cron) => cron.find_next_occurrence(&last, false).ok(),
            },
        };
        let planned = [planned, self.retries.next()].into_iter().flatten().min();
        planned.map(|planned| planned.max(now))
    }
}

pub(super) fn signed(duration: Duration) -> chrono::TimeDelta {
    chrono::TimeDelta::from_std(duration).unwrap_or(chrono::TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn policy(json: &str) -> Policy {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_counts_from_the_last_run() {
        let now = at("2026-03-02T12:00:00Z");
        let every = policy(r#"{"fixed":{"every":"2d"}}"#);
        assert_eq!(Schedule::new(every.clone(), None).next(now), Some(now));
        let mut schedule = Schedule::new(every, Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(schedule.next(now), Some(at("2026-03-03T00:00:00Z")));
        assert_eq!(schedule.next(at("2026-04-01T00:00:00Z")), Some(at("2026-04-01T00:00:00Z")));
        schedule.ran(now, true);
        assert_eq!(schedule.next(now), Some(at("2026-03-04T12:00:00Z")));
        let both = Schedule::new(policy(r#"{"fixed":{"every":"2d","finetune":"1d"}}"#), Some(now));
        assert_eq!(both.next(now), schedule.next(now), "tuning is no refresh");
    }

    #[test]
    fn cron_is_utc_and_makes_up_for_a_missed_time() {
        let nightly = policy(r#"{"fixed":{"cron":"0 3 * * *"}}"#);
        let schedule = Schedule::new(nightly, Some(at("2026-03-01T10:00:00Z")));
        assert_eq!(schedule.next(at("2026-03-01T11:00:00Z")), Some(at("2026-03-02T03:00:00Z")));
        assert_eq!(schedule.next(at("2026-03-05T11:00:00Z")), Some(at("2026-03-05T11:00:00Z")));
    }

    #[test]
    fn failures_are_tried_again_soon_and_then_less_often() {
        let began = at("2026-03-01T00:00:00Z");
        let mut schedule = Schedule::new(policy(r#"{"fixed":{"every":"2d"}}"#), None);
        let mut waits = Vec::new();
        for _ in 0..9 {
            schedule.ran(began, false);
            waits.push((schedule.next(began).unwrap() - began).num_minutes());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        schedule.ran(began, true);
        assert_eq!((schedule.next(began).unwrap() - began).num_days(), 2);
    }

    #[test]
    fn a_try_is_made_again_later_and_later_until_one_succeeds() {
        let ended = at("2026-03-01T00:00:00Z");
        let mut retries = Retries::default();
        assert_eq!(retries.next(), None);
        let mut wait = |succeeded| {
            retries.tried(ended, succeeded);
            retries.next().map(|next| (next - ended).num_minutes())
        };
        assert_eq!([false, false, true, false].map(&mut wait), [Some(1), Some(2), None, Some(1)]);
    }

    #[test]
    fn the_adaptive_policy_has_a_first_run_and_retries_only() {
        let now = at("2026-03-01T00:00:00Z");
        let mut schedule = Schedule::new(policy(r#""adaptive""#), None);
        assert_eq!(schedule.next(now), Some(now));
        schedule.ran(now, false);
        assert_eq!(schedule.next(now), Some(at("2026-03-01T00:01:00Z")));
        schedule.ran(now, true);
        assert_eq!(schedule.next(at("2027-03-01T00:00:00Z")), None);
    }

    #[test]
    fn on_demand_never_runs_by_itself() {
        assert_eq!(Schedule::new(policy(r#""on_demand""#), None).next(at("2026-03-01T00:00:00Z")), None);
    }
}
