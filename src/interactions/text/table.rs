//! The text log as a table of text columns, read by one blocking thread a partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::project_schema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use super::batch::Batch;
use super::{Row, open, read_error};
use crate::interactions::files::{Format, LogFile};

/// The file of a row.
pub(in crate::interactions) const FILE: &str = "__file";
/// The line at which a row of text begins.
pub(in crate::interactions) const LINE: &str = "__line";
/// The beginning of a line that is no record; null for all others.
pub(in crate::interactions) const BROKEN: &str = "__broken";

/// A text log: its fields, the columns of its paths, and [`FILE`], [`LINE`] and [`BROKEN`], in this order.
#[derive(Debug)]
pub(in crate::interactions) struct TextTable {
    format: Format,
    files: Vec<LogFile>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

/// Where the values of a column come from.
#[derive(Clone, Debug)]
pub(super) enum Column {
    Field(String),
    Path(String),
    File,
    Line,
    Broken,
}

impl TextTable {
    /// The table of `fields`, and of what the paths carry beyond them.
    pub(in crate::interactions) fn new(format: Format, files: Vec<LogFile>, fields: Vec<String>) -> Self {
        let known: BTreeSet<&str> = fields.iter().map(String::as_str).collect();
        let carried: BTreeSet<&str> = files.iter().flat_map(|f| &f.partitions).map(|(name, _)| name.as_str()).collect();
        let carried: Vec<String> = carried.difference(&known).map(|name| (*name).to_owned()).collect();
        let columns: Vec<Column> = (fields.into_iter().map(Column::Field))
            .chain(carried.into_iter().map(Column::Path))
            .chain([Column::File, Column::Line, Column::Broken])
            .collect();
        let schema = Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()));
        Self { format, files, columns, schema }
    }
}

impl Column {
    fn field(&self) -> Field {
        match self {
            Self::Field(name) | Self::Path(name) => Field::new(name, DataType::Utf8View, true),
            Self::File => Field::new(FILE, DataType::Utf8View, false),
            Self::Line => Field::new(LINE, DataType::UInt64, false),
            Self::Broken => Field::new(BROKEN, DataType::Utf8View, true),
        }
    }

    /// The field that a reader is asked for.
    fn wanted(&self) -> Option<String> {
        match self {
            Self::Field(name) => Some(name.clone()),
            _ => None,
        }
    }
}

#[async_trait]
impl TableProvider for TextTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        let columns: Vec<Column> = match projection {
            Some(indices) => indices.iter().filter_map(|&index| self.columns.get(index).cloned()).collect(),
            None => self.columns.clone(),
        };
        let parts = self.files.len().min(state.config().target_partitions()).max(1);
        let part = |first: usize| -> Arc<dyn PartitionStream> {
            let files = self.files.iter().skip(first).step_by(parts).cloned().collect();
            Arc::new(Part { format: self.format, files, columns: columns.clone(), schema: Arc::clone(&schema) })
        };
        let parts = (0..parts).map(part).collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema, parts, None, [], false, limit)?))
    }
}

/// The files that one thread reads, one after the other.
#[derive(Clone, Debug)]
struct Part {
    format: Format,
    files: Vec<LogFile>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = context.session_config().batch_size();
        let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let (part, sender) = (self.clone(), stream.tx());
        stream.spawn_blocking(move || {
            // A closed channel means that nobody wants the rest.
            part.read(rows, |batch| sender.blocking_send(Ok(batch)).is_ok())
        });
        stream.build()
    }
}

impl Part {
    fn read(&self, rows: usize, mut send: impl FnMut(RecordBatch) -> bool) -> Result<()> {
        for file in &self.files {
            if !self.read_file(file, rows, &mut send)? {
                break;
            }
        }
        Ok(())
    }

    /// Sends the rows of one file in batches; false once nobody takes them.
    fn read_file(&self, file: &LogFile, rows: usize, send: &mut impl FnMut(RecordBatch) -> bool) -> Result<bool> {
        let external = |e| DataFusionError::External(Box::new(e));
        let wanted: Vec<String> = self.columns.iter().filter_map(Column::wanted).collect();
        let mut reader = open(&file.path, self.format, &wanted).map_err(external)?;
        let (mut row, mut batch) = (Row::default(), Batch::new(&self.columns, file));
        while reader.read(&mut row).map_err(|e| external(read_error(&file.path, row.line, e)))? {
            batch.add(&row);
            if batch.rows == rows && !send(batch.finish(&self.schema)?) {
                return Ok(false);
            }
        }
        Ok(batch.rows == 0 || send(batch.finish(&self.schema)?))
    }
}
