//! The Parquet files of one day: its log and its truth.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMillisecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, Encoding};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use super::draft::Draft;
use super::error::SimulateError;
use super::truth::{Pair, Successor, Truth, id};
use super::world::Event;
use crate::ids::ClusterId;

/// Rows that a file holds in memory before they go to the disk.
const ROW_GROUP: usize = 1 << 18;

/// Rows turned into columns at once.
const BATCH: usize = 1 << 16;

/// A Parquet file in the making.
struct Columns {
    draft: Draft,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
}

impl Columns {
    fn create(path: &Path, schema: SchemaRef, properties: WriterProperties) -> Result<Self, SimulateError> {
        let draft = Draft::create(path)?;
        let writer = ArrowWriter::try_new(draft.handle()?, Arc::clone(&schema), Some(properties));
        let writer = writer.map_err(|error| failed(path, error))?;
        Ok(Self { draft, schema, writer })
    }

    fn write(&mut self, columns: Vec<ArrayRef>) -> Result<(), SimulateError> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(ParquetError::from);
        let written = batch.and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| failed(self.draft.path(), error))
    }

    fn finish(self) -> Result<(), SimulateError> {
        self.writer.close().map_err(|error| failed(self.draft.path(), error))?;
        self.draft.publish()
    }
}

fn failed(path: &Path, error: ParquetError) -> SimulateError {
    let error = match error {
        ParquetError::External(source) => io::Error::other(source),
        other => other.into(),
    };
    SimulateError::io("writing", path)(error)
}

/// One day's log in the making.
pub(super) struct Log(Columns);

impl Log {
    pub(super) fn create(path: &Path) -> Result<Self, SimulateError> {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let schema = schema([
            ("user_id", DataType::Int64),
            ("item_id", DataType::Int64),
            ("cluster_id", DataType::Int32),
            ("timestamp", time),
            ("watch_ratio", DataType::Float32),
            ("is_like", DataType::Boolean),
        ]);
        // These two hardly repeat within a row group, so a dictionary of them is built in vain.
        let properties = properties()
            .set_column_dictionary_enabled("user_id".into(), false)
            .set_column_dictionary_enabled("timestamp".into(), false)
            .set_column_encoding("timestamp".into(), Encoding::DELTA_BINARY_PACKED);
        Columns::create(path, schema, properties.build()).map(Self)
    }

    pub(super) fn write(&mut self, events: &[Event]) -> Result<(), SimulateError> {
        for rows in events.chunks(BATCH) {
            let rows = rows.iter();
            let times = TimestampMillisecondArray::from_iter_values(rows.clone().map(|row| row.timestamp));
            self.0.write(vec![
                Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row.user))),
                Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row.item))),
                ids(rows.clone().map(|row| row.cluster)),
                Arc::new(times.with_timezone("UTC")),
                Arc::new(Float32Array::from_iter_values(rows.clone().map(|row| f32::from(row.watched) / 100.0))),
                Arc::new(rows.map(|row| Some(row.liked)).collect::<BooleanArray>()),
            ])?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), SimulateError> {
        self.0.finish()
    }
}

/// Writes the preferred successors of `pairs` on one day, a row each, in order of the pairs, best first.
pub(super) fn write_truth(path: &Path, truth: Truth<'_>, pairs: &[Pair]) -> Result<(), SimulateError> {
    let schema = schema([
        ("c1", DataType::Int32),
        ("c2", DataType::Int32),
        ("next", DataType::Int32),
        ("probability", DataType::Float64),
    ]);
    let mut file = Columns::create(path, schema, properties().build())?;
    for pairs in pairs.chunks(BATCH) {
        let row = |pair: Pair, next: Successor| (id(pair.0), id(pair.1), next.cluster, next.probability);
        let rows = pairs.iter().flat_map(|&pair| truth.of(pair).into_iter().map(move |next| row(pair, next)));
        let rows: Vec<_> = rows.collect();
        file.write(vec![
            ids(rows.iter().map(|row| row.0)),
            ids(rows.iter().map(|row| row.1)),
            ids(rows.iter().map(|row| row.2)),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.3))),
        ])?;
    }
    file.finish()
}

/// There are far fewer clusters than an i32 counts.
fn ids(ids: impl Iterator<Item = ClusterId>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(ids.map(|id| id.0 as i32)))
}

fn schema<const N: usize>(fields: [(&str, DataType); N]) -> SchemaRef {
    let field = |(name, kind)| Field::new(name, kind, false);
    Arc::new(Schema::new(fields.map(field).to_vec()))
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by("segue".to_owned())
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
}
