//! Logs that are none of interactions (exposures, outcomes) as tables of one engine: who, when, and what an experiment
//! asks for, read and checked as interactions are.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, cast, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::config::{Config, TimestampUnit};
use super::engine::Limits;
use super::error::Error;
use super::expression::{Expression, Wanted};
use super::report::{Reason, Report};
use super::rows::{INSTANT, Rows, unfit};
use super::source::{Column, Source};
use super::survey::survey;
use super::text::{BROKEN, FILE, LINE};
use super::time::{self, Untimely};
use super::window::Window;

/// What is read of a log.
pub(crate) struct EventLog<'l> {
    /// The section of the config that names it.
    pub(crate) section: &'static str,
    /// As [`Config::path`].
    pub(crate) path: &'l str,
    /// The column that says who.
    pub(crate) unit: &'l str,
    /// The column that says when.
    pub(crate) timestamp: &'l str,
    /// As [`Config::timestamp_unit`].
    pub(crate) timestamp_unit: Option<TimestampUnit>,
    /// Columns that are read as text, under their own names.
    pub(crate) texts: &'l [&'static str],
    /// SQL expressions that give numbers, each with its key in the config; read as `v0`, `v1`, ...
    pub(crate) numbers: &'l [(String, String)],
    /// Whether rows that are equal in every column are one row.
    pub(crate) distinct: bool,
}

/// Tables of one engine, which SQL can join.
pub(crate) struct Events {
    context: SessionContext,
    limits: Limits,
    max_bad_share: f64,
}

impl Events {
    /// An engine within the memory, threads and share of bad rows of `[interactions]`; no table yet.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let limits = Limits::of(config);
        Ok(Self { context: limits.session(config)?, limits, max_bad_share: config.max_bad_share })
    }

    /// Adds the good rows of a log as table `name(unit, ts, texts ..., v0, v1, ..., copies)`; `unit` is text, and
    /// `copies` counts the log's rows that the table's row stands for. Fails where too many rows are bad.
    pub(crate) async fn add(&self, name: &str, log: &EventLog<'_>) -> Result<Report, Error> {
        let failed = |e| self.limits.error("opening a log", e);
        let path = log.path.to_owned();
        let source = tokio::task::spawn_blocking(move || Source::open(&path)).await;
        let source = source.map_err(|e| self.limits.error("opening a log", std::io::Error::other(e).into()))??;
        let mut numbers = Vec::new();
        for (key, text) in log.numbers {
            numbers.push(Expression::parse(&self.context.state(), key, text, Wanted::Number, &source)?);
        }
        let rows = self.checked_rows(log, &source, &numbers).map_err(|e| e.or(failed))?;
        let report = survey(&rows, &Window::default()).await.map_err(failed)?;
        if report.bad_share() > self.max_bad_share {
            return Err(Error::BadRows { report: Box::new(report), limit: self.max_bad_share });
        }
        let table = view(&rows, log, &source, &numbers).map_err(failed)?;
        self.context.register_table(name, table.into_view()).map_err(failed)?;
        Ok(report)
    }

    /// The rows of a query, as they come.
    pub(crate) async fn rows(&self, doing: &'static str, sql: &str) -> Result<SendableRecordBatchStream, Error> {
        let failed = |e| self.limits.error(doing, e);
        self.context.sql(sql).await.map_err(failed)?.execute_stream().await.map_err(failed)
    }

    /// What went wrong while they came.
    pub(crate) fn failed(&self, doing: &'static str) -> impl Fn(datafusion::error::DataFusionError) -> Error {
        let limits = self.limits.clone();
        move |error| limits.error(doing, error)
    }

    fn checked_rows(&self, log: &EventLog<'_>, source: &Source, numbers: &[Expression]) -> Result<Rows, Fault> {
        let unit = source.require(log.unit, log.section)?;
        if unit.stored.is_nested() || unit.stored.is_floating() {
            return Err(unfit(source, unit, "a unit is a whole number or a text").into());
        }
        let time = source.require(log.timestamp, log.section)?;
        let instant = instant(source, time, log)?.alias(INSTANT);
        for text in log.texts {
            source.require(text, log.section)?;
        }
        let table = self.context.read_table(Arc::clone(&source.table))?;
        let own = source.table.schema().fields().iter().map(|field| ident(field.name())).collect::<Vec<_>>();
        let table = table.select([own, vec![instant]].concat())?;
        let mut read = vec![unit.name.clone(), time.name.clone()];
        let of_numbers = numbers.iter().flat_map(|number| number.columns.clone());
        of_numbers.for_each(|name| {
            if !read.contains(&name) {
                read.push(name)
            }
        });
        let is_readable = numbers.iter().map(is_readable).reduce(Expr::and).unwrap_or_else(|| lit(true));
        let has_lines = source.table.schema().column_with_name(BROKEN).is_some();
        let unbroken = has_lines.then(|| (Reason::BrokenLine, ident(BROKEN).is_null()));
        let checks = unbroken.into_iter().chain([
            (Reason::NoUser, ident(&unit.name).is_not_null()),
            (Reason::NoTimestamp, ident(&time.name).is_not_null()),
            (Reason::UnreadableTimestamp, time::is_readable(&ident(INSTANT))),
            (Reason::UnreadableEngagement, is_readable),
        ]);
        let resolution = time::resolution(&time.stored, log.timestamp_unit);
        let (checks, user) = (checks.collect(), unit.name.clone());
        Ok(Rows { table, checks, is_positive: lit(true), read, user, resolution })
    }
}

/// Of the log, or of the engine.
enum Fault {
    Log(Error),
    Engine(datafusion::error::DataFusionError),
}

impl Fault {
    fn or(self, of_engine: impl Fn(datafusion::error::DataFusionError) -> Error) -> Error {
        match self {
            Self::Log(error) => error,
            Self::Engine(error) => of_engine(error),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}

impl From<datafusion::error::DataFusionError> for Fault {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::Engine(error)
    }
}

fn instant(source: &Source, column: &Column, log: &EventLog<'_>) -> Result<Expr, Error> {
    let no_unit = "set timestamp_unit, beside the log's path, to what they count: s, ms, us or ns";
    match time::instants(ident(&column.name), &column.stored, log.timestamp_unit) {
        Ok(_) if column.counts && log.timestamp_unit.is_none() => Err(unfit(source, column, no_unit)),
        Ok(instant) => Ok(instant),
        Err(Untimely::NoUnit) => Err(unfit(source, column, no_unit)),
        Err(Untimely::Type) => {
            Err(unfit(source, column, "expected timestamps, dates, integers with a timestamp_unit, or text (RFC 3339)"))
        }
    }
}

/// Neither of another type than meant, nor infinite, nor NaN: `value - value` is 0 for numbers only.
fn is_readable(number: &Expression) -> Expr {
    let (value, zero) = (number.value.clone(), lit(0.0));
    number.is_readable.clone().and(value.clone().is_null().or((value.clone() - value).eq(zero)))
}

/// The good rows, equal ones as one.
fn view(rows: &Rows, log: &EventLog<'_>, source: &Source, numbers: &[Expression]) -> EngineResult<DataFrame> {
    let good = rows.table.clone().filter(rows.is_good())?;
    let schema = source.table.schema();
    let own = schema.fields().iter().map(|field| field.name().as_str());
    let own = own.filter(|name| ![FILE, LINE, BROKEN].contains(name)).chain([INSTANT]).map(ident).collect::<Vec<_>>();
    let (table, copies) = match log.distinct {
        true => (good.aggregate(own, vec![count(lit(1_i64)).alias(COPIES)])?, ident(COPIES)),
        false => (good, lit(1_i64)),
    };
    let texts = log.texts.iter().map(|name| cast(ident(*name), DataType::Utf8View).alias(*name));
    let values = numbers.iter().zip(0..).map(|(number, at)| number.value.clone().alias(format!("v{at}")));
    let columns = [cast(ident(&rows.user), DataType::Utf8View).alias("unit"), ident(INSTANT).alias("ts")];
    table.select(columns.into_iter().chain(texts).chain(values).chain([copies.alias("copies")]).collect::<Vec<_>>())
}

const COPIES: &str = "__copies";
