//! Logs in text, CSV and JSON lines: every field is read as text and given its type later, in the query, so that an
//! unreadable value is one bad row rather than the end of the query.

mod batch;
mod csv;
mod input;
mod json;
mod sample;
mod table;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use flate2::read::MultiGzDecoder;

pub(super) use sample::{Tally, sample, tally_paths};
pub(super) use table::{BROKEN, FILE, LINE, TextTable};

use super::error::Error;
use super::files::Format;

/// A broken line is shown up to this many characters.
const SHOWN: usize = 200;

/// One record: the wanted fields, in the order in which they were asked for. One buffer serves all records.
#[derive(Default)]
struct Row {
    /// The line it begins at, from 1.
    line: u64,
    text: String,
    fields: Vec<Option<Range<usize>>>,
    /// The beginning of a line that is no record at all.
    broken: Option<String>,
}

impl Row {
    fn get(&self, field: usize) -> Option<&str> {
        self.text.get(self.fields.get(field)?.clone()?)
    }

    fn clear(&mut self, line: u64, width: usize) {
        self.line = line;
        self.text.clear();
        self.fields.clear();
        self.fields.resize(width, None);
        self.broken = None;
    }

    fn set(&mut self, field: usize, value: &str) {
        let start = self.text.len();
        self.text.push_str(value);
        if let Some(slot) = self.fields.get_mut(field) {
            *slot = Some(start..self.text.len());
        }
    }

    fn break_off(&mut self, raw: &[u8]) {
        self.fields.fill(None);
        self.broken = Some(String::from_utf8_lossy(raw).chars().take(SHOWN).collect());
    }
}

/// Reads a file record by record.
trait Reader {
    /// Fills `row` with the next record; false at the end. Errors concern the file, never a record.
    fn read(&mut self, row: &mut Row) -> io::Result<bool>;
}

/// Opens a text log to read the fields named `wanted`; those it lacks are null.
fn open(path: &Path, format: Format, wanted: &[String]) -> Result<Box<dyn Reader>, Error> {
    let input = decompressed(path)?;
    match format {
        Format::JsonLines => Ok(Box::new(json::JsonReader::new(input, wanted))),
        _ => Ok(Box::new(csv::CsvReader::new(path, input, wanted)?)),
    }
}

/// The header of a CSV file.
pub(super) fn csv_header(path: &Path) -> Result<Vec<String>, Error> {
    csv::header(path, decompressed(path)?)
}

fn decompressed(path: &Path) -> Result<input::Input, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let reader: Box<dyn Read + Send> = match extension.as_deref() {
        Some("gz") => Box::new(MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file).map_err(io)?),
        _ => Box::new(file),
    };
    Ok(input::Input::new(reader))
}

fn read_error(path: &Path, line: u64, source: io::Error) -> Error {
    let source = io::Error::new(source.kind(), format!("after line {line}: {source}"));
    Error::Io { path: path.to_owned(), source }
}
