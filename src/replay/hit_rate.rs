//! Hit rates over time: every version asked about every position, by the code that serves.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Progress;
use super::asking::Asking;
use super::build::build;
use super::error::ReplayError;
use super::step::{Period, Step, periods};
use super::stretch::{Answering, Compared, Rows, Version};
use super::tally::{CutShort, Difference, HitRate, Tally};
use crate::ids::ClusterId;
use crate::interactions::{HeldOut, Log, Users, Window};
use crate::table;
use crate::taxonomy::Taxonomy;

/// What is replayed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first moment asked about.
    pub from: DateTime<Utc>,
    /// The end, exclusive.
    pub to: DateTime<Utc>,
    /// The periods that rates are reported by.
    pub step: Step,
    /// What tables are counted from, before each refresh.
    pub window: Step,
    /// Their shape and the support that a key needs.
    pub table: table::Config,
    /// Predictions of an answer that may come true.
    pub n: usize,
    /// How long they may take to.
    pub horizon: TimeDelta,
    /// Who is asked about and not counted; `None` counts and asks everyone, each about what comes later than all that is
    /// counted.
    pub held_out: Option<HeldOut>,
    /// So many of the clusters that were the most popular in the window before `from` are no targets: what is left tells
    /// whether a version knows more than what everyone likes.
    pub beyond: usize,
    /// Times that users are drawn anew for an interval.
    pub resamples: usize,
}

impl Settings {
    /// The clusters that [`Settings::beyond`] means, as `log` counts them.
    pub(super) async fn no_targets(&self, log: &Log) -> Result<HashSet<ClusterId>, ReplayError> {
        let window = Window { from: Some(self.window.before(self.from)), to: Some(self.from) };
        let popular = if self.beyond > 0 { log.popular(&window).await?.clusters } else { Vec::new() };
        Ok(popular.into_iter().take(self.beyond).map(|(cluster, _)| cluster).collect())
    }
}

/// Replays `log`. The meetings of the users asked about are held in memory, 16 bytes each, and one table at a time.
pub async fn hit_rate<B: AsRef<[u8]>>(
    log: &Log,
    taxonomy: &Taxonomy,
    settings: &Settings,
    compared: &[Compared<B>],
    progress: Progress<'_>,
) -> Result<HitRate, ReplayError> {
    let Settings { from, to, resamples, .. } = *settings;
    let reported = periods(from, to, settings.step)?;
    let (counted, asked) = match &settings.held_out {
        Some(held_out) => (log.of(Users::Kept(held_out.clone())), log.of(Users::HeldOut(held_out.clone()))),
        None => (log.clone(), log.clone()),
    };
    let ahead = to.checked_add_signed(settings.horizon + TimeDelta::nanoseconds(1));
    let users = asked.meetings(&Window { from: None, to: ahead }).await?;
    let Settings { n, horizon, .. } = *settings;
    let (clusters, no_targets) = (taxonomy.clusters().len(), &settings.no_targets(&counted).await?);
    let asking = Asking { users: &users, periods: &reported, n, horizon, clusters, no_targets };
    let cut_short = asking.cut_short(&Period { from, to }, log.span().await?.newest);
    let stretches = compared.iter().map(|compared| compared.version.stretches(from, to, settings.window));
    let stretches = stretches.collect::<Result<Vec<_>, _>>()?;
    let (mut done, total) = (0, stretches.iter().map(Vec::len).sum::<usize>() as u64);
    let mut tallies = Vec::new();
    for (Compared { name, .. }, stretches) in compared.iter().zip(stretches) {
        let mut tally = Tally::default();
        for (stretch, answering) in stretches {
            progress(done, total, format!("{name}, from {}", stretch.from.format("%F")));
            match answering {
                Answering::Random => asking.random(&stretch, &mut tally),
                Answering::Stored(stored) => asking.table(&stored.name, &stored.table, &stretch, &mut tally)?,
                Answering::Counted { window, rows } => {
                    let (table, has_rows) = rows.settings(&settings.table);
                    let table = build(&counted, taxonomy, &table, &window, has_rows).await?;
                    asking.table(name, &table, &stretch, &mut tally)?;
                }
            }
            done += 1;
        }
        tallies.push(tally);
    }
    progress(done, total, format!("intervals from {resamples} resamples"));
    let result = report(settings, reported, cut_short, compared, &tallies);
    result.ok_or_else(|| ReplayError::NoPositions { from: from.to_rfc3339(), to: to.to_rfc3339() })
}

fn report<B>(
    settings: &Settings,
    periods: Vec<Period>,
    cut_short: CutShort,
    compared: &[Compared<B>],
    tallies: &[Tally],
) -> Option<HitRate> {
    let Settings { n, resamples, .. } = *settings;
    let has_rows = |version: &Version<B>| match version {
        Version::Counted { rows, .. } => *rows != Rows::None,
        Version::Random => false,
        Version::Stored(_) => true,
    };
    let named = compared.iter().zip(tallies);
    let rates = named
        .clone()
        .map(|(Compared { name, version }, tally)| tally.finish(name, periods.len(), has_rows(version), resamples));
    let versions = rates.collect::<Option<Vec<_>>>()?;
    let difference = |(other, tally): (&Compared<B>, &Tally)| {
        let (served_1, served_n) = tallies.first()?.over(tally, resamples)?;
        let (version, against) = (compared.first()?.name.clone(), other.name.clone());
        Some(Difference { version, against, served_1, served_n })
    };
    let differences = named.skip(1).map(difference).collect::<Option<Vec<_>>>()?;
    let horizon = settings.horizon.num_seconds();
    Some(HitRate { n, horizon, cut_short, periods, versions, differences })
}
