//! Counts made elsewhere, by the same statement on another engine: `c1, ..., ck, next, count`, in any order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, ident, try_cast};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::columns::known;
use super::config::Config;
use super::counts::{CountStream, grouped, header};
use super::engine::Limits;
use super::error::Error;
use super::files::{Format, LogFile};
use super::text::{self, LINE, TextTable};
use crate::ids::ClusterId;
use crate::taxonomy::Taxonomy;

/// A CSV file of transition counts (also .gz or .zst).
pub struct CountsFile {
    context: SessionContext,
    limits: Limits,
    path: PathBuf,
    k: usize,
    taxonomy: Arc<Taxonomy>,
}

impl CountsFile {
    /// Opens the file at `path` and reads its header. It is sorted within the memory of `config`.
    pub fn open(path: &Path, config: &Config, taxonomy: &Taxonomy) -> Result<Self, Error> {
        let limits = Limits::of(config);
        let context = limits.session(config)?;
        let header = text::csv_header(path)?;
        let k = key_length(&header).ok_or_else(|| Error::CountsFile {
            path: path.to_owned(),
            line: 1,
            problem: format!("the header must be c1,...,ck,next,count with k from 1 to 4; {}", columns(&header)),
        })?;
        Ok(Self { context, limits, path: path.to_owned(), k, taxonomy: Arc::new(taxonomy.clone()) })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length of its keys.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Its keys, in order. Every row is checked: what cannot be a count ends the stream with an error that names it.
    pub async fn count(&self) -> Result<CountStream, Error> {
        let failed = |e| self.limits.error("sorting the counts file", e);
        let rows = self.sorted().await.map_err(failed)?;
        let mut check = Check { path: self.path.clone(), taxonomy: Arc::clone(&self.taxonomy), last: None };
        let schema = rows.schema();
        let checked = rows.map(move |batch| {
            let batch = batch?;
            check.batch(&batch).map_err(|e| DataFusionError::External(Box::new(e)))?;
            Ok(batch)
        });
        let checked = Box::pin(RecordBatchStreamAdapter::new(schema, checked));
        Ok(grouped(checked, self.k, self.limits.clone()))
    }

    /// All rows as numbers, null where they are none, with their lines.
    async fn sorted(&self) -> EngineResult<SendableRecordBatchStream> {
        let names: Vec<String> = header(self.k);
        let file = LogFile { path: self.path.clone(), partitions: Vec::new() };
        let table = TextTable::new(Format::Csv, vec![file], names.clone());
        let numbers = names.iter().map(|name| try_cast(ident(name), DataType::Int64).alias(name));
        let rows = self.context.read_table(Arc::new(table))?;
        let rows = rows.select(numbers.chain([ident(LINE)]).collect::<Vec<Expr>>())?;
        let order = names.iter().take(self.k + 1).map(ident).chain([ident(LINE)]);
        // Nulls first: what is no number is found before the rest is used.
        rows.sort(order.map(|column| column.sort(true, true)).collect())?.execute_stream().await
    }
}

fn key_length(found: &[String]) -> Option<usize> {
    let k = found.len().checked_sub(2)?;
    ((1..=4).contains(&k) && found == header(k)).then_some(k)
}

fn columns(header: &[String]) -> String {
    known("", header.iter().map(String::as_str))
}

/// What every row of a counts file fulfils.
struct Check {
    path: PathBuf,
    taxonomy: Arc<Taxonomy>,
    /// The clusters of the row before, and its line.
    last: Option<(Vec<i64>, u64)>,
}

impl Check {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let (lines, numbers) = batch.columns().split_last().map_or((None, [].as_slice()), |(l, n)| (Some(l), n));
        let numbers: Vec<&Int64Array> = numbers.iter().map(|column| column.as_primitive::<Int64Type>()).collect();
        for row in 0..batch.num_rows() {
            let line = lines.map_or(0, |lines| lines.as_primitive::<UInt64Type>().value(row));
            let path = self.path.clone();
            let wrong = |problem| Error::CountsFile { path, line, problem };
            let values: Option<Vec<i64>> = numbers.iter().map(|n| n.is_valid(row).then(|| n.value(row))).collect();
            let values = values.ok_or_else(|| format!("expected {} whole numbers", numbers.len()));
            values.and_then(|values| self.row(&values, line)).map_err(wrong)?;
        }
        Ok(())
    }

    fn row(&mut self, values: &[i64], line: u64) -> Result<(), String> {
        let Some((&count, clusters)) = values.split_last() else {
            return Err("the row is empty".to_owned());
        };
        if let Some(unknown) = clusters.iter().find(|&&id| !self.knows(id)) {
            return Err(format!("cluster {unknown} is not in the clusters file"));
        }
        if let Some(twice) = (1..clusters.len()).find(|&at| clusters[..at].contains(&clusters[at])) {
            return Err(format!("cluster {} stands twice: a sequence holds each cluster once", clusters[twice]));
        }
        if count <= 0 {
            return Err(format!("the count is {count}, but a transition is counted at least once"));
        }
        let clusters = clusters.to_vec();
        match &self.last {
            Some((last, first)) if *last == clusters => Err(format!("the transition stands in line {first} already")),
            _ => {
                self.last = Some((clusters, line));
                Ok(())
            }
        }
    }

    fn knows(&self, id: i64) -> bool {
        u32::try_from(id).is_ok_and(|id| self.taxonomy.index_of(ClusterId(id)).is_some())
    }
}
