//! Records collected into a batch of columns.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewBuilder, UInt64Builder};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::Result;

use super::Row;
use super::table::Column;
use crate::interactions::files::LogFile;

/// The rows of one file that are not sent yet.
pub(super) struct Batch {
    pub(super) rows: usize,
    cells: Vec<Cell>,
}

enum Cell {
    Field(usize, StringViewBuilder),
    Constant(Option<String>, StringViewBuilder),
    Line(UInt64Builder),
    Broken(StringViewBuilder),
}

impl Batch {
    /// An empty batch of `columns`, of which the fields are numbered in the order in which they stand.
    pub(super) fn new(columns: &[Column], file: &LogFile) -> Self {
        let mut fields = 0..;
        let cells = columns.iter().map(|column| Cell::new(column, file, &mut fields)).collect();
        Self { rows: 0, cells }
    }

    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for cell in &mut self.cells {
            cell.add(row);
        }
    }

    /// What was collected; the batch is empty afterwards.
    pub(super) fn finish(&mut self, schema: &SchemaRef) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        let columns = self.cells.iter_mut().map(Cell::finish).collect();
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

impl Cell {
    fn new(column: &Column, file: &LogFile, fields: &mut impl Iterator<Item = usize>) -> Self {
        let text = StringViewBuilder::new();
        match column {
            Column::Field(_) => Self::Field(fields.next().unwrap_or(usize::MAX), text),
            Column::Path(name) => Self::Constant(file.partition(name).map(str::to_owned), text),
            Column::File => Self::Constant(Some(file.path.display().to_string()), text),
            Column::Line => Self::Line(UInt64Builder::new()),
            Column::Broken => Self::Broken(text),
        }
    }

    fn add(&mut self, row: &Row) {
        match self {
            Self::Field(field, text) => text.append_option(row.get(*field)),
            Self::Constant(value, text) => text.append_option(value.as_deref()),
            Self::Line(lines) => lines.append_value(row.line),
            Self::Broken(text) => text.append_option(row.broken.as_deref()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Field(_, text) | Self::Constant(_, text) | Self::Broken(text) => Arc::new(text.finish()),
            Self::Line(lines) => Arc::new(lines.finish()),
        }
    }
}
