//! The log's rows, normalised: who, which cluster, when, whether positive, and what is wrong with them if anything is.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, ident, lit, when};
use datafusion::prelude::{DataFrame, SessionContext};

use super::config::Config;
use super::engine::Limits;
use super::error::Error;
use super::expression::{Expression, Wanted};
use super::mapping::{self, CLUSTER, KEY};
use super::report::Reason;
use super::source::{Column, Source};
use super::text::BROKEN;
use super::time::{self, Untimely};
use crate::taxonomy::Taxonomy;

/// The key by which a row is joined to the mapping.
const JOINED: &str = "__key";
/// The instant of a row; null where unreadable.
pub(super) const INSTANT: &str = "__instant";

/// All rows of a log with their cluster.
pub(super) struct Rows {
    /// The log's own columns, and [`INSTANT`], [`KEY`] and [`CLUSTER`].
    pub(super) table: DataFrame,
    /// What a good row fulfils, in the order of [`Reason`].
    pub(super) checks: Vec<(Reason, Expr)>,
    pub(super) is_positive: Expr,
    /// The columns that were read: what a sample shows.
    pub(super) read: Vec<String>,
    pub(super) user: String,
    /// The nanoseconds between two neighbouring times of the log.
    pub(super) resolution: i64,
}

impl Rows {
    pub(super) async fn new(
        context: &SessionContext,
        limits: &Limits,
        config: &Config,
        source: &Source,
        taxonomy: &Taxonomy,
    ) -> Result<Self, Error> {
        let failed = |e| limits.error("opening the log", e);
        let user = user(source, config)?;
        let (time, instant) = instant(source, config)?;
        let positive = match &config.positive {
            Some(text) => Expression::parse(&context.state(), "[interactions] positive", text, Wanted::Truth, source)?,
            None => Expression::always(),
        };
        let named = Named::find(source, config)?;
        let mapping = match &config.items {
            Some(items) if named.is_item => {
                mapping::of_items(context, items, &config.columns, &named.key_type(), taxonomy).await?
            }
            _ => mapping::of_clusters(context, taxonomy).map_err(failed)?,
        };
        let table = joined(context, source, mapping, named.key.clone(), instant).map_err(failed)?;
        let checks = checks(source, user, time, &named, positive.is_readable);
        let mut read = vec![user.name.clone(), named.column.name.clone(), time.name.clone()];
        read.extend(positive.columns.into_iter().filter(|name| !read.contains(name)).collect::<Vec<_>>());
        let resolution = super::time::resolution(&time.stored, config.timestamp_unit);
        Ok(Self { table, checks, is_positive: positive.value, read, user: user.name.clone(), resolution })
    }

    /// `(user_id, cluster_id, ts)` of the good rows.
    pub(super) fn good(&self) -> Result<DataFrame> {
        Self::normal(self.table.clone().filter(self.is_good())?, &self.user)
    }

    /// `(user_id, cluster_id, ts)` of the good rows that are positive.
    pub(super) fn positives(&self) -> Result<DataFrame> {
        Self::normal(self.table.clone().filter(self.is_good().and(self.is_positive.clone()))?, &self.user)
    }

    fn normal(rows: DataFrame, user: &str) -> Result<DataFrame> {
        rows.select(vec![ident(user).alias("user_id"), ident(CLUSTER).alias("cluster_id"), Self::instant().alias("ts")])
    }

    pub(super) fn is_good(&self) -> Expr {
        self.checks.iter().map(|(_, holds)| holds.clone()).reduce(Expr::and).unwrap_or_else(|| lit(true))
    }

    pub(super) fn instant() -> Expr {
        ident(INSTANT)
    }

    /// The position in `checks` of the first that a row fails; null for good rows.
    pub(super) fn fault(&self) -> Result<Expr> {
        let mut faults = self.checks.iter().zip(0_i32..).map(|((_, holds), at)| (holds.clone().is_not_true(), lit(at)));
        let first = faults.next().map(|(fails, at)| when(fails, at));
        let case = first.map(|first| faults.fold(first, |mut case, (fails, at)| case.when(fails, at)));
        case.ok_or_else(|| DataFusionError::Plan("no checks".to_owned()))?.end()
    }
}

/// What a good row fulfils, in the order of [`Reason`].
fn checks(source: &Source, user: &Column, time: &Column, named: &Named<'_>, is_readable: Expr) -> Vec<(Reason, Expr)> {
    let has_lines = source.table.schema().column_with_name(BROKEN).is_some();
    let mut checks = Vec::new();
    if has_lines {
        checks.push((Reason::BrokenLine, ident(BROKEN).is_null()));
    }
    checks.push((Reason::NoUser, ident(&user.name).is_not_null()));
    checks.push((Reason::NoTimestamp, ident(&time.name).is_not_null()));
    checks.push((Reason::UnreadableTimestamp, time::is_readable(&ident(INSTANT))));
    checks.extend(named.checks());
    checks.push((Reason::UnreadableEngagement, is_readable));
    checks
}

/// The log, with the instant of each row, joined to the mapping. The mapping stands left: that side is held in memory.
fn joined(
    context: &SessionContext,
    source: &Source,
    mapping: DataFrame,
    key: Expr,
    instant: Expr,
) -> Result<DataFrame> {
    let log = context.read_table(Arc::clone(&source.table))?;
    let own = source.table.schema().fields().iter().map(|field| ident(field.name())).collect::<Vec<_>>();
    let log = log.select([own, vec![key.alias(JOINED), instant.alias(INSTANT)]].concat())?;
    mapping.join(log, JoinType::Right, &[KEY], &[JOINED], None)
}

fn user<'a>(source: &'a Source, config: &Config) -> Result<&'a Column, Error> {
    let user = source.require(&config.columns.user, "columns.user")?;
    if user.stored.is_nested() {
        return Err(unfit(source, user, "a user is a number or a text"));
    }
    Ok(user)
}

fn instant<'a>(source: &'a Source, config: &Config) -> Result<(&'a Column, Expr), Error> {
    let column = source.require(&config.columns.timestamp, "columns.timestamp")?;
    let no_unit = "set [interactions] timestamp_unit to what they count: s, ms, us or ns";
    let instant = time::instants(ident(&column.name), &column.stored, config.timestamp_unit);
    match instant {
        Ok(_) if column.counts && config.timestamp_unit.is_none() => Err(unfit(source, column, no_unit)),
        Ok(instant) => Ok((column, instant)),
        Err(Untimely::NoUnit) => Err(unfit(source, column, no_unit)),
        Err(Untimely::Type) => {
            Err(unfit(source, column, "expected timestamps, dates, integers with a timestamp_unit, or text (RFC 3339)"))
        }
    }
}

pub(super) fn unfit(source: &Source, column: &Column, remedy: &'static str) -> Error {
    let found = if column.counts { "integers".to_owned() } else { column.stored.to_string() };
    Error::UnfitColumn { path: source.first_file(), column: column.name.clone(), found, remedy }
}

/// What the log names in each row: a cluster, or an item.
struct Named<'a> {
    column: &'a Column,
    key: Expr,
    is_item: bool,
}

impl<'a> Named<'a> {
    fn find(source: &'a Source, config: &Config) -> Result<Self, Error> {
        let names = &config.columns;
        let is_item = source.column(&names.cluster).is_none();
        if is_item && config.items.is_none() {
            let (path, known) = (source.first_file(), source.known(&names.cluster));
            return Err(Error::NoCluster { path, cluster: names.cluster.clone(), known });
        }
        let (column, key) = if is_item {
            let column = source.require(&names.item, "columns.item")?;
            (column, mapping::key(column).ok_or_else(|| unfit(source, column, "items are whole numbers or text"))?)
        } else {
            let column = source.require(&names.cluster, "columns.cluster")?;
            let key = mapping::whole_number(column);
            (column, key.ok_or_else(|| unfit(source, column, "cluster ids are whole numbers"))?)
        };
        Ok(Self { column, key, is_item })
    }

    /// The type of the mapping's keys.
    fn key_type(&self) -> DataType {
        if self.column.stored.is_string() { DataType::Utf8View } else { DataType::Int64 }
    }

    fn checks(&self) -> Vec<(Reason, Expr)> {
        let is_named = ident(&self.column.name).is_not_null();
        let is_known = (Reason::UnknownCluster, ident(CLUSTER).is_not_null());
        if self.is_item {
            vec![(Reason::NoItem, is_named), (Reason::UnmappedItem, ident(KEY).is_not_null()), is_known]
        } else {
            vec![(Reason::NoCluster, is_named), is_known]
        }
    }
}
