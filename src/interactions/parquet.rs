//! Logs in Parquet: a fixed list of files, with the columns of their paths and the name of the file beside their own.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::binary::type_union_coercion;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path as StorePath;
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;

use super::error::Error;
use super::files::LogFile;
use super::source::FileColumns;
use super::text::FILE;

/// A Parquet log.
#[derive(Debug)]
pub(super) struct ParquetTable {
    schema: TableSchema,
    files: Vec<PartitionedFile>,
}

impl ParquetTable {
    /// Reads the footers of `files` and joins their columns: by name, in the widest of their types.
    pub(super) fn open(files: &[LogFile]) -> Result<(Self, Vec<FileColumns>), Error> {
        let mut fields: Vec<Field> = Vec::new();
        let mut known = Vec::new();
        for file in files {
            let schema = footer(file)?;
            known.push(FileColumns::new(file, schema.fields().iter().map(|field| field.name().clone())));
            for field in schema.fields() {
                join(&mut fields, field, file)?;
            }
        }
        let carried = carried(files, &fields);
        let paths = carried.iter().map(|name| Field::new(name, DataType::Utf8View, true));
        let paths = paths.chain([Field::new(FILE, DataType::Utf8View, false)]).map(Arc::new).collect::<Vec<_>>();
        let schema = TableSchema::builder(Arc::new(Schema::new(fields))).with_table_partition_cols(paths).build();
        let files = files.iter().map(|file| partitioned(file, &carried)).collect::<Result<_, _>>()?;
        Ok((Self { schema, files }, known))
    }

    /// Whether the column called `name` comes from the paths.
    pub(super) fn is_carried(&self, name: &str) -> bool {
        self.schema.table_partition_cols().iter().any(|field| field.name() == name)
    }
}

fn footer(file: &LogFile) -> Result<SchemaRef, Error> {
    let path = || file.path.clone();
    let opened = File::open(&file.path).map_err(|source| Error::Io { path: path(), source })?;
    let metadata = ArrowReaderMetadata::load(&opened, ArrowReaderOptions::default());
    Ok(Arc::clone(metadata.map_err(|source| Error::Parquet { path: path(), source })?.schema()))
}

fn join(fields: &mut Vec<Field>, field: &Field, file: &LogFile) -> Result<(), Error> {
    let found = plain(field.data_type());
    let Some(known) = fields.iter_mut().find(|known| known.name() == field.name()) else {
        fields.push(Field::new(field.name(), found, true));
        return Ok(());
    };
    let joined = type_union_coercion(known.data_type(), &found).ok_or_else(|| Error::ColumnType {
        column: field.name().clone(),
        first: known.data_type().clone(),
        second: found,
        path: file.path.clone(),
    })?;
    *known = Field::new(field.name(), plain(&joined), true);
    Ok(())
}

/// The type that a column is read as: one for all ways to store text.
fn plain(stored: &DataType) -> DataType {
    match stored {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Dictionary(_, values) => plain(values),
        other => other.clone(),
    }
}

/// What the paths carry beyond the files' own columns.
fn carried(files: &[LogFile], fields: &[Field]) -> Vec<String> {
    let names: BTreeSet<&str> = files.iter().flat_map(|f| &f.partitions).map(|(name, _)| name.as_str()).collect();
    let new = |name: &&str| fields.iter().all(|field| field.name() != name);
    names.into_iter().filter(new).map(str::to_owned).collect()
}

fn partitioned(file: &LogFile, carried: &[String]) -> Result<PartitionedFile, Error> {
    let io = |source| Error::Io { path: file.path.clone(), source };
    // The store takes no `..`.
    let absolute = file.path.canonicalize().map_err(io)?;
    let metadata = absolute.metadata().map_err(io)?;
    let location = StorePath::from_absolute_path(&absolute).map_err(|e| io(std::io::Error::other(e)))?;
    let last_modified = metadata.modified().map_err(io)?.into();
    let meta = ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None };
    let path = Some(file.path.display().to_string());
    let values = carried.iter().map(|name| file.partition(name).map(str::to_owned)).chain([path]);
    Ok(PartitionedFile::from(meta).with_partition_values(values.map(ScalarValue::Utf8View).collect()))
}

#[async_trait]
impl TableProvider for ParquetTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Inexact: a filter prunes row groups and pages here, and is evaluated above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = state.config_options().execution.parquet.clone();
        let options = datafusion::config::TableParquetOptions { global: options, ..Default::default() };
        let source = ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        let groups = FileGroup::new(self.files.clone()).split_files(state.config().target_partitions());
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}
