//! A log walked day by day under several policies of when to refresh: what does each reach, and what does it cost?

mod fresh;
mod policy;
mod report;
mod running;

use chrono::TimeDelta;

pub use policy::{ParsePolicyError, Policy};
pub use report::{BackTest, Decided, Replayed};

use super::Progress;
use super::asking::Asking;
use super::error::ReplayError;
use super::hit_rate::Settings;
use super::step::{Period, Step, periods};
use crate::evaluation::Cadence;
use crate::interactions::{Log, Users, Window};
use crate::retrieval;
use crate::taxonomy::Taxonomy;
use fresh::Fresh;
use running::Running;

/// What refreshes are weighed by.
#[derive(Clone, Debug)]
pub struct Weighing {
    /// What they cost, and what a point of hit rate is worth.
    pub cadence: Cadence,
    /// What prompts would show, so which questions a refresh would ask.
    pub retrieval: retrieval::Config,
}

/// Replays `log`, each day answered by the table that each policy had published by its start. Held-out users (where
/// `settings` names none, those of the default) are asked, decide for the adaptive policy by what they did before that
/// day, and are never counted. The meetings of these users, one table a policy and a hash for each question a policy
/// ever asked are held in memory.
pub async fn backtest(
    log: &Log,
    taxonomy: &Taxonomy,
    settings: &Settings,
    weighing: &Weighing,
    policies: &[Policy],
    progress: Progress<'_>,
) -> Result<BackTest, ReplayError> {
    let Settings { from, to, .. } = *settings;
    let held_out = settings.held_out.clone().unwrap_or_default();
    let (counted, asked) = (log.of(Users::Kept(held_out.clone())), log.of(Users::HeldOut(held_out)));
    let ahead = to.checked_add_signed(settings.horizon + TimeDelta::nanoseconds(1));
    let users = asked.meetings(&Window { from: None, to: ahead }).await?;
    let reported = periods(from, to, settings.step)?;
    let Settings { n, horizon, .. } = *settings;
    let (clusters, no_targets) = (taxonomy.clusters().len(), &settings.no_targets(&counted).await?);
    let asking = Asking { users: &users, periods: &reported, n, horizon, clusters, no_targets };
    let mut running: Vec<Running> = policies.iter().map(|&policy| Running::new(policy)).collect();
    let days = periods(from, to, Step::Days(1))?;
    for (done, day) in (0..).zip(&days) {
        progress(done, days.len() as u64, day.name(Step::Days(1)));
        if running.iter().any(|policy| policy.may_refresh(day.from, &weighing.cadence)) {
            let window = Window { from: Some(settings.window.before(day.from)), to: Some(day.from) };
            let making = (&settings.table, &weighing.retrieval);
            let fresh = Fresh::count(&counted, taxonomy, making, &window, day.from).await?;
            for policy in &mut running {
                policy.consider(&fresh, day.from, &weighing.cadence, &asking)?;
            }
        }
        running.iter_mut().try_for_each(|policy| policy.answer(&asking, day))?;
    }
    progress(days.len() as u64, days.len() as u64, format!("intervals from {} resamples", settings.resamples));
    let result = report::report(settings, reported, &weighing.cadence, running);
    result.ok_or_else(|| ReplayError::NoPositions { from: from.to_rfc3339(), to: to.to_rfc3339() })
}
