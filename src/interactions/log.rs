//! The log: opened once, surveyed, then counted as often as needed.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use datafusion::error::Result as EngineResult;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::col;
use datafusion::prelude::SessionContext;

use super::config::{Config, Sequence};
use super::counts::{self, CountStream};
use super::engine::Limits;
use super::error::Error;
use super::meetings::{self, Meeting};
use super::report::Report;
use super::rows::Rows;
use super::samples::{self, SampleStream};
use super::sequences::{self, SequenceStream};
use super::source::Source;
use super::sql::{daily_sql, meeting_sql, popular_sql, sample_sql, sequence_sql, transition_sql};
use super::survey::survey;
use super::time::{self, MAX_GAP_SECONDS};
use super::users::{HeldOut, Users};
use super::window::Window;
use crate::ids::ClusterId;
use crate::taxonomy::Taxonomy;

/// A log of interactions: the files found when it was opened, normalised to `(user_id, cluster_id, ts)`.
#[derive(Clone)]
pub struct Log {
    context: SessionContext,
    limits: Limits,
    config: Config,
    rows: Arc<Rows>,
    users: Users,
    fingerprint: u128,
}

/// The first and the newest event of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first event.
    pub first: DateTime<Utc>,
    /// The newest event.
    pub newest: DateTime<Utc>,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, newest] = [self.first, self.newest].map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        write!(f, "{first} to {newest}")
    }
}

/// How popular the clusters of a window are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Popular {
    /// Every cluster seen in a sequence of two or more clusters, with the number of such sequences that contain it:
    /// the most popular first, ties by id.
    pub clusters: Vec<(ClusterId, u64)>,
    /// The number of such sequences.
    pub sequences: u64,
}

impl Log {
    /// Finds the files, their columns and their types, and checks the positive expression. Reads no more than footers
    /// (Parquet) and first rows (text).
    pub async fn open(config: &Config, taxonomy: &Taxonomy) -> Result<Self, Error> {
        check(config)?;
        let limits = Limits::of(config);
        let context = limits.session(config)?;
        let path = config.path.clone();
        let source = tokio::task::spawn_blocking(move || Source::open(&path)).await;
        let source = source.map_err(|e| limits.error("opening the log", std::io::Error::other(e).into()))??;
        let rows = Rows::new(&context, &limits, config, &source, taxonomy).await?;
        let positives = rows.positives().map(|rows| rows.into_view());
        let registered = positives.and_then(|view| context.register_table("positives", view));
        registered.map_err(|e| limits.error("opening the log", e))?;
        let (rows, users) = (Arc::new(rows), Users::Everyone);
        Ok(Self { context, limits, config: config.clone(), rows, users, fingerprint: source.fingerprint })
    }

    /// The same log, of which only these users' interactions are counted. Its span and its report stay those of all.
    pub fn of(&self, users: Users) -> Self {
        Self { users, ..self.clone() }
    }

    /// Where it lies, as the config says.
    pub fn path(&self) -> &str {
        &self.config.path
    }

    /// Names the files that were found, by path, length and time of change: a log that was corrected has another.
    pub fn fingerprint(&self) -> String {
        format!("{:032x}", self.fingerprint)
    }

    /// The first and the newest event among the good rows.
    pub async fn span(&self) -> Result<Span, Error> {
        let span = self.bounds().await.map_err(|e| self.limits.error("finding the span of the log", e))?;
        match span {
            Some(span) => Ok(span),
            // Either there is no row at all, or all are bad.
            None => Err(self.checked(&Window::default()).await.err().unwrap_or_else(|| self.empty())),
        }
    }

    /// Surveys `window`: rows, positives, and bad rows with samples. Fails if there are too many of the last, or none
    /// of the first two, so that whoever asks for the report before counting counts something.
    pub async fn report(&self, window: &Window) -> Result<Report, Error> {
        let report = self.checked(window).await?;
        if report.rows == report.bad_rows() {
            return Err(Error::EmptyWindow { window: *window, span: self.span().await? });
        }
        match &self.config.positive {
            Some(expression) if report.positives == 0 => {
                Err(Error::NoPositives { rows: report.rows, window: *window, expression: expression.clone() })
            }
            _ => Ok(report),
        }
    }

    /// Counts the transitions of `window` with keys of `k` clusters (section 2.4), with the sequences and `min_users`
    /// of the config.
    pub async fn count(&self, k: usize, window: &Window) -> Result<CountStream, Error> {
        if !(1..=4).contains(&k) {
            return Err(Error::KeyLength(k));
        }
        let failed = |e| self.limits.error("counting transitions", e);
        let sql = transition_sql(self.config.sequence, k, self.config.min_users, &self.aligned(window), &self.users);
        let rows = self.context.sql(&sql).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
        Ok(counts::grouped(rows, k, self.limits.clone()))
    }

    /// Counts in how many sequences of `window` each cluster occurs.
    pub async fn popular(&self, window: &Window) -> Result<Popular, Error> {
        let failed = |e| self.limits.error("counting popular clusters", e);
        let sql = popular_sql(self.config.sequence, &self.aligned(window), &self.users);
        let batches = self.context.sql(&sql).await.map_err(failed)?.collect().await.map_err(failed)?;
        let mut popular = Popular { clusters: Vec::new(), sequences: 0 };
        for batch in &batches {
            let [ids, sequences, starts] = [0, 1, 2].map(|at| batch.column(at).as_primitive::<Int64Type>().values());
            let counted = ids.iter().zip(sequences).map(|(&id, count)| (counts::cluster(id), count.unsigned_abs()));
            popular.clusters.extend(counted);
            popular.sequences += starts.iter().map(|starts| starts.unsigned_abs()).sum::<u64>();
        }
        Ok(popular)
    }

    /// Reads the sequences of `window`, a user at a time.
    pub async fn sequences(&self, window: &Window) -> Result<SequenceStream, Error> {
        let failed = |e| self.limits.error("reading sequences", e);
        let sql = sequence_sql(self.config.sequence, &self.aligned(window), &self.users);
        let rows = self.context.sql(&sql).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
        Ok(sequences::grouped(rows, self.limits.clone()))
    }

    /// When each user first met each cluster of `window`: one list a user, in time order, ties by cluster. All are held
    /// in memory, 16 bytes a meeting.
    pub async fn meetings(&self, window: &Window) -> Result<Vec<Vec<Meeting>>, Error> {
        let failed = |e| self.limits.error("reading meetings", e);
        let sql = meeting_sql(&self.aligned(window), &self.users);
        let rows = self.context.sql(&sql).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
        meetings::grouped(rows).await.map_err(failed)
    }

    /// Reads every transition of `window` with its times and its user's part, in the order of time: what fine-tuning
    /// samples are drawn from (section 2.2). Everyone's, whatever users this log is of.
    pub async fn samples(
        &self,
        k: usize,
        window: &Window,
        held_out: &HeldOut,
        validation: f64,
    ) -> Result<SampleStream, Error> {
        if !(1..=4).contains(&k) {
            return Err(Error::KeyLength(k));
        }
        held_out.check()?;
        let failed = |e| self.limits.error("reading samples", e);
        let sql = sample_sql(self.config.sequence, k, &self.aligned(window), held_out, validation);
        let rows = self.context.sql(&sql).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
        Ok(samples::read(rows, k, self.limits.clone()))
    }

    /// How few users a transition may have and still be counted.
    pub fn min_users(&self) -> u64 {
        self.config.min_users
    }

    /// Counts the positives of everyone on each day (UTC) of `window` that has any, in order.
    pub async fn daily(&self, window: &Window) -> Result<Vec<(NaiveDate, u64)>, Error> {
        let failed = |e| self.limits.error("counting days", e);
        let sql = daily_sql(&self.aligned(window));
        let batches = self.context.sql(&sql).await.map_err(failed)?.collect().await.map_err(failed)?;
        let of_batch = |batch: &RecordBatch| {
            let days = batch.column(0).as_primitive::<TimestampNanosecondType>().values().clone();
            let positives = batch.column(1).as_primitive::<Int64Type>().values().clone();
            let day = |nanos| DateTime::from_timestamp_nanos(nanos).date_naive();
            days.iter().zip(positives.iter()).map(|(&d, &n)| (day(d), n.unsigned_abs())).collect::<Vec<_>>()
        };
        Ok(batches.iter().flat_map(of_batch).collect())
    }

    /// A report that holds few enough bad rows.
    async fn checked(&self, window: &Window) -> Result<Report, Error> {
        let report =
            survey(&self.rows, &self.aligned(window)).await.map_err(|e| self.limits.error("surveying the log", e))?;
        let limit = self.config.max_bad_share;
        if report.bad_share() > limit {
            return Err(Error::BadRows { report: Box::new(report), limit });
        }
        Ok(report)
    }

    fn aligned(&self, window: &Window) -> Window {
        time::aligned(window, self.rows.resolution)
    }

    async fn bounds(&self) -> EngineResult<Option<Span>> {
        let bounds = vec![min(col("ts")).alias("first"), max(col("ts")).alias("newest")];
        let batches = self.rows.good()?.aggregate(vec![], bounds)?.collect().await?;
        Ok(batches.iter().find_map(span_of))
    }

    fn empty(&self) -> Error {
        Error::EmptyLog { path: self.config.path.clone() }
    }
}

fn span_of(batch: &RecordBatch) -> Option<Span> {
    let bound = |column: usize| {
        let instants = batch.column(column).as_primitive::<TimestampNanosecondType>();
        let known = !instants.is_empty() && instants.is_valid(0);
        known.then(|| DateTime::from_timestamp_nanos(instants.value(0)))
    };
    Some(Span { first: bound(0)?, newest: bound(1)? })
}

/// What serde cannot check.
fn check(config: &Config) -> Result<(), Error> {
    let refused = |field, value: String, problem| Err(Error::Config { field, value, problem });
    if !(0.0..=1.0).contains(&config.max_bad_share) {
        return refused("max_bad_share", config.max_bad_share.to_string(), "a share is from 0 to 1");
    }
    match config.sequence {
        Sequence::Gap(gap) if gap.is_zero() || gap.as_secs() > MAX_GAP_SECONDS => {
            refused("sequence", format!("{{ gap = {gap:?} }}"), "a gap is longer than nothing and at most 60 years")
        }
        _ => Ok(()),
    }
}
