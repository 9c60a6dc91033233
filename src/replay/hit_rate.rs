//! Hit rates over time: every version asked about every position, by the code that serves.

use chrono::{DateTime, TimeDelta, Utc};

use super::Progress;
use super::build::build;
use super::error::ReplayError;
use super::step::{Period, Step, periods};
use super::stretch::{Answering, Compared, Version};
use super::tally::{Difference, HitRate, Hits, Tally};
use crate::evaluation::{Position, positions, random_novel};
use crate::ids::ClusterId;
use crate::interactions::{HeldOut, Log, Meeting, Users, Window};
use crate::lookup::{ClusterSet, LookupError, Query, Rules, Scratch, lookup};
use crate::table::{self, Table};
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
    /// Times that users are drawn anew for an interval.
    pub resamples: usize,
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
    let asking = Asking { users: &users, periods: &reported, settings, clusters: taxonomy.clusters().len() };
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
                    let table = build(&counted, taxonomy, &settings.table, &window, rows).await?;
                    asking.table(name, &table, &stretch, &mut tally)?;
                }
            }
            done += 1;
        }
        tallies.push(tally);
    }
    progress(done, total, format!("intervals from {resamples} resamples"));
    let result = report(settings, reported, compared, &tallies);
    result.ok_or_else(|| ReplayError::NoPositions { from: from.to_rfc3339(), to: to.to_rfc3339() })
}

fn report<B>(
    settings: &Settings,
    periods: Vec<Period>,
    compared: &[Compared<B>],
    tallies: &[Tally],
) -> Option<HitRate> {
    let Settings { n, resamples, .. } = *settings;
    let has_rows = |version: &Version<B>| matches!(version, Version::Counted { rows: true, .. } | Version::Stored(_));
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
    Some(HitRate { n, horizon: settings.horizon.num_seconds(), periods, versions, differences })
}

/// Everyone asked about.
struct Asking<'a> {
    users: &'a [Vec<Meeting>],
    periods: &'a [Period],
    settings: &'a Settings,
    clusters: usize,
}

impl Asking<'_> {
    /// Hands over every position of a stretch with its user and period.
    fn each(
        &self,
        stretch: &Period,
        mut take: impl FnMut(usize, usize, &Position<'_>) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        for (user, meetings) in self.users.iter().enumerate() {
            for position in positions(meetings, stretch.from, stretch.to, self.settings.horizon) {
                let period = self.periods.partition_point(|period| period.from <= position.at) - 1;
                take(period, user, &position)?;
            }
        }
        Ok(())
    }

    fn random(&self, stretch: &Period, tally: &mut Tally) {
        let n = self.settings.n;
        let drawn = self.each(stretch, |period, user, position| {
            let expected = |n| random_novel(self.clusters, position, n);
            let hits = Hits { positions: 1.0, served_1: expected(1), served_n: expected(n), ..Hits::default() };
            tally.take(period, user, &hits);
            Ok(())
        });
        debug_assert!(drawn.is_ok(), "drawing cannot fail");
    }

    fn table<B: AsRef<[u8]>>(
        &self,
        name: &str,
        table: &Table<B>,
        stretch: &Period,
        tally: &mut Tally,
    ) -> Result<(), ReplayError> {
        let unknown = || ReplayError::UnknownWindow { version: name.to_owned() };
        let counted_to = table.lineage().window_to.ok_or_else(unknown)?;
        let nobody = ClusterSet::default();
        let rules = Rules { blocklist: &nobody, max_history: usize::MAX };
        let (mut scratch, mut history) = (Scratch::default(), Vec::new());
        self.each(stretch, |period, user, position| {
            if position.at < counted_to {
                let (counted_to, asked) = (counted_to.to_rfc3339(), position.at.to_rfc3339());
                return Err(ReplayError::LookAhead { version: name.to_owned(), counted_to, asked });
            }
            history.clear();
            history.extend(position.history.iter().map(|meeting| meeting.cluster.0));
            let limit = u32::try_from(self.settings.n).unwrap_or(u32::MAX);
            let query = Query { history: &history, limit, exclude: &[] };
            let answer = lookup(table, rules, query, &mut scratch).map_err(|error| self.too_many(name, error))?;
            let matched = answer.matched as usize;
            let served = first(answer.predictions.iter().map(|prediction| prediction.cluster), position);
            let of_key = first(key_row(table, &history), position);
            let within = |first: usize, n: usize| f64::from(first < n);
            let hits = Hits {
                positions: 1.0,
                table_1: within(of_key, 1),
                table_n: within(of_key, self.settings.n),
                served_1: within(served, 1),
                served_n: within(served, self.settings.n),
            };
            tally.take(period, user, &hits);
            tally.take_level(matched, &hits);
            Ok(())
        })
    }

    fn too_many(&self, name: &str, error: LookupError) -> ReplayError {
        let n = self.settings.n;
        match error {
            LookupError::Limit { width, .. } => ReplayError::Width { n, version: name.to_owned(), width },
            // Histories of any length are taken, and nothing is excluded.
            LookupError::TooLong { max, .. } => ReplayError::Width { n, version: name.to_owned(), width: max },
        }
    }
}

/// The place of the first prediction that comes true; the last place there is where none does.
fn first(mut predicted: impl Iterator<Item = ClusterId>, position: &Position<'_>) -> usize {
    predicted.position(|cluster| position.is_true(cluster)).unwrap_or(usize::MAX)
}

/// What the full key's row says, as it stands there; nothing of a shorter history. A history names each cluster once.
fn key_row<B: AsRef<[u8]>>(table: &Table<B>, history: &[u32]) -> impl Iterator<Item = ClusterId> {
    let latest = history.len().checked_sub(table.k()).map(|start| &history[start..]);
    let key = latest.and_then(|key| key.iter().map(|&id| table.index_of(ClusterId(id))).collect::<Option<Vec<_>>>());
    let row = key.and_then(|key| table.find(&key));
    row.into_iter().flat_map(|row| row.entries()).map(|entry| table.cluster_id(entry.index))
}
