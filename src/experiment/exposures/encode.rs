//! A batch of exposures as one Parquet file.

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

/// The bytes of the file.
pub(super) fn encode(exposures: &[Exposure]) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut rows = file.next_row_group()?;
    let text = |of: fn(&Exposure) -> &str| exposures.iter().map(|one| ByteArray::from(of(one))).collect::<Vec<_>>();
    column::<ByteArrayType>(&mut rows, &text(|one| &one.arm.deal.experiment))?;
    column::<ByteArrayType>(&mut rows, &text(|one| &one.arm.name))?;
    column::<ByteArrayType>(&mut rows, &text(|one| &one.unit))?;
    column::<Int64Type>(&mut rows, &exposures.iter().map(|one| one.at).collect::<Vec<_>>())?;
    column::<Int64Type>(&mut rows, &exposures.iter().map(|one| one.version.cast_signed()).collect::<Vec<_>>())?;
    rows.close()?;
    file.into_inner()
}

/// Writes the next column.
fn column<T: DataType>(rows: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: &[T::T]) -> Result<()> {
    if let Some(mut column) = rows.next_column()? {
        column.typed::<T>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}
