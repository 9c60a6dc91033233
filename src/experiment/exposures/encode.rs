//! A batch of exposures as one Parquet file, which is there whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::Exposure;

/// One row an exposure. `version` is that of the table that answered.
const SCHEMA: &str = "
message exposures {
  REQUIRED BYTE_ARRAY experiment (UTF8);
  REQUIRED BYTE_ARRAY arm (UTF8);
  REQUIRED BYTE_ARRAY unit (UTF8);
  REQUIRED INT64 timestamp (TIMESTAMP(MICROS, true));
  REQUIRED INT64 version (INTEGER(64, false));
}";

/// Makes the directory, and makes sure that files can be written there.
pub(super) fn prepare(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let trial = crate::files::unique_path(directory, ".trial");
    File::create_new(&trial)?;
    fs::remove_file(trial)
}

/// Writes the file under a name that no reader looks at, makes it durable, and only then gives it its own.
pub(super) fn write(path: &Path, exposures: &[Exposure]) -> io::Result<()> {
    let temporary = temporary(path);
    let mut file = File::create(&temporary)?;
    encode(&mut file, exposures).map_err(io::Error::other)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Hidden, so that readers of logs pass it by.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

fn encode(file: &mut File, exposures: &[Exposure]) -> Result<()> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let mut rows = file.next_row_group()?;
    let text = |of: fn(&Exposure) -> &str| exposures.iter().map(|one| ByteArray::from(of(one))).collect::<Vec<_>>();
    column::<ByteArrayType>(&mut rows, &text(|one| &one.arm.deal.experiment))?;
    column::<ByteArrayType>(&mut rows, &text(|one| &one.arm.name))?;
    column::<ByteArrayType>(&mut rows, &text(|one| &one.unit))?;
    column::<Int64Type>(&mut rows, &exposures.iter().map(|one| one.at).collect::<Vec<_>>())?;
    column::<Int64Type>(&mut rows, &exposures.iter().map(|one| one.version.cast_signed()).collect::<Vec<_>>())?;
    rows.close()?;
    file.close()?;
    Ok(())
}

/// Writes the next column.
fn column<T: DataType>(rows: &mut SerializedRowGroupWriter<'_, &mut File>, values: &[T::T]) -> Result<()> {
    if let Some(mut column) = rows.next_column()? {
        column.typed::<T>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}
