//! CSV with a header; the order of columns may differ from file to file.

use std::io;
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::input::Input;
use super::{Reader, Row, read_error};
use crate::interactions::columns::duplicate;
use crate::interactions::error::Error;

pub(super) struct CsvReader {
    reader: csv::Reader<Input>,
    record: ByteRecord,
    /// The columns of the file.
    width: usize,
    /// Where each wanted field stands.
    positions: Vec<Option<usize>>,
    /// Lines still to be reported as broken: an unclosed quote swallows lines, and each counts.
    swallowed: u64,
}

/// The column names of a file.
pub(super) fn header(path: &Path, input: Input) -> Result<Vec<String>, Error> {
    read_header(path, &mut reader(input))
}

fn reader(input: Input) -> csv::Reader<Input> {
    ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(input)
}

fn read_header(path: &Path, reader: &mut csv::Reader<Input>) -> Result<Vec<String>, Error> {
    let header = reader.byte_headers().map_err(|e| read_error(path, 0, e.into()))?;
    let names: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    match duplicate(names.iter().map(String::as_str)) {
        Some(column) => Err(Error::DuplicateColumn { path: path.to_owned(), column: column.to_owned() }),
        None => Ok(names),
    }
}

impl CsvReader {
    pub(super) fn new(path: &Path, input: Input, wanted: &[String]) -> Result<Self, Error> {
        let mut reader = reader(input);
        let names = read_header(path, &mut reader)?;
        let positions = wanted.iter().map(|name| names.iter().position(|known| known == name)).collect();
        Ok(Self { reader, record: ByteRecord::new(), width: names.len(), positions, swallowed: 0 })
    }

    /// Copies the wanted fields; `None` if the record is not what the header promises.
    fn fill(&self, row: &mut Row) -> Option<()> {
        let text = str::from_utf8(self.record.as_slice()).ok().filter(|_| self.record.len() == self.width)?;
        for (field, position) in self.positions.iter().enumerate() {
            let value = position.and_then(|position| self.record.range(position));
            let value = value.map(|range| text.get(range).ok_or(())).transpose().ok()?;
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                row.set(field, value);
            }
        }
        Some(())
    }
}

impl Reader for CsvReader {
    fn read(&mut self, row: &mut Row) -> io::Result<bool> {
        if self.swallowed > 0 {
            self.swallowed -= 1;
            row.line += 1;
            return Ok(true);
        }
        if !self.reader.read_byte_record(&mut self.record)? {
            return Ok(false);
        }
        self.reader.get_mut().record_done();
        let line = self.record.position().map_or(0, csv::Position::line);
        row.clear(line, self.positions.len());
        if self.fill(row).is_none() {
            row.break_off(&self.record.iter().collect::<Vec<_>>().join(&b','));
            self.swallowed = self.reader.position().line().saturating_sub(line + 1);
        }
        Ok(true)
    }
}
