//! The survey of a window before it is counted: how many rows, how many of them bad, and why.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type, UInt64Type};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, cast, ident, lit, when};

use super::report::{BadRow, Reason, Report};
use super::rows::Rows;
use super::text::{BROKEN, FILE, LINE};
use super::time;
use super::window::Window;

/// Bad rows shown for each reason.
const SAMPLES: usize = 5;

/// Surveys the rows in `window` and those whose time cannot be told.
pub(super) async fn survey(rows: &Rows, window: &Window) -> Result<Report> {
    let positive = when(rows.is_positive.clone(), lit(1_i64)).otherwise(lit(0_i64))?;
    let totals = vec![count(lit(1_i64)).alias("rows"), sum(positive).alias("positives")];
    let considered = rows.table.clone().filter(is_considered(window))?;
    let by_fault = considered.aggregate(vec![rows.fault()?.alias("fault")], totals)?.collect().await?;
    let mut report = Report::default();
    for batch in &by_fault {
        add(&mut report, batch, rows);
    }
    for reason in report.bad.keys().copied().collect::<Vec<_>>() {
        report.samples.extend(samples(rows, window, reason).await?);
    }
    Ok(report)
}

/// Written so that a scan can leave out what lies outside the window by its statistics.
fn is_considered(window: &Window) -> Expr {
    let instant = Rows::instant();
    let untold = instant.clone().is_null().or(time::is_readable(&instant).is_false());
    time::is_within(&instant, window).or(untold)
}

fn add(report: &mut Report, batch: &RecordBatch, rows: &Rows) {
    let faults = batch.column(0).as_primitive::<Int32Type>();
    let counts = batch.column(1).as_primitive::<Int64Type>();
    let positives = batch.column(2).as_primitive::<Int64Type>();
    for row in 0..batch.num_rows() {
        let count = counts.value(row).unsigned_abs();
        report.rows += count;
        let fault = faults.is_valid(row).then(|| faults.value(row));
        match fault.and_then(|at| rows.checks.get(usize::try_from(at).ok()?)) {
            Some((reason, _)) => *report.bad.entry(*reason).or_default() += count,
            None => report.positives += positives.value(row).unsigned_abs(),
        }
    }
}

async fn samples(rows: &Rows, window: &Window, reason: Reason) -> Result<Vec<BadRow>> {
    let at = rows.checks.iter().zip(0_i32..).find(|((found, _), _)| *found == reason).map_or(-1, |(_, at)| at);
    let bad = rows.table.clone().filter(is_considered(window))?.filter(rows.fault()?.eq(lit(at)))?;
    let has_lines = bad.schema().has_column_with_unqualified_name(LINE);
    let line = if has_lines { ident(LINE) } else { cast(lit(0_u64), DataType::UInt64) };
    let shown = if reason == Reason::BrokenLine { vec![BROKEN.to_owned()] } else { rows.read.clone() };
    let values = shown.iter().zip(0..).map(|(name, at)| cast(ident(name), DataType::Utf8).alias(format!("v{at}")));
    let columns = [cast(ident(FILE), DataType::Utf8).alias("file"), line.alias("line")].into_iter().chain(values);
    let batches = bad.select(columns.collect::<Vec<_>>())?.limit(0, Some(SAMPLES))?.collect().await?;
    let shown = |name: &String| if reason == Reason::BrokenLine { String::new() } else { name.clone() };
    let names: Vec<String> = rows.read.iter().map(shown).collect();
    Ok(batches.iter().flat_map(|batch| bad_rows(batch, &names, reason)).collect())
}

fn bad_rows(batch: &RecordBatch, names: &[String], reason: Reason) -> Vec<BadRow> {
    let text = |column: usize, row: usize| {
        let values = batch.column(column).as_string::<i32>();
        values.is_valid(row).then(|| values.value(row).to_owned())
    };
    let lines = batch.column(1).as_primitive::<UInt64Type>();
    let values = |row| names.iter().zip(2..batch.num_columns()).map(move |(name, at)| (name.clone(), text(at, row)));
    let row = |row| BadRow {
        reason,
        file: text(0, row).unwrap_or_default(),
        line: Some(lines.value(row)).filter(|&line| line > 0),
        values: values(row).collect(),
    };
    (0..batch.num_rows()).map(row).collect()
}
