//! A look at the beginning of every file: which columns there are, and what they seem to hold.

use std::path::{Path, PathBuf};

use datafusion::arrow::datatypes::DataType;

use super::json::JsonReader;
use super::{Row, csv_header, decompressed, open, read_error};
use crate::interactions::error::Error;
use crate::interactions::files::{Format, LogFile};
use crate::interactions::time::INSTANT;

/// Rows looked at in all, shared by the files within [`ROWS_A_FILE`].
const ROWS: usize = 100_000;
const ROWS_A_FILE: (usize, usize) = (100, 10_000);

/// What the columns of a text log are.
pub(in crate::interactions) struct Sample {
    /// The fields of each file that holds anything.
    files: Vec<(PathBuf, Vec<String>)>,
    /// Every field, in the order of first appearance, with the values seen in it.
    fields: Vec<(String, Tally)>,
}

/// Looks at the first rows of every file.
pub(in crate::interactions) fn sample(format: Format, files: &[LogFile]) -> Result<Sample, Error> {
    let (least, most) = ROWS_A_FILE;
    let rows = (ROWS / files.len().max(1)).clamp(least, most);
    let mut sample = Sample { files: Vec::new(), fields: Vec::new() };
    for file in files {
        let names = names(&file.path, format, rows)?;
        let found = sample.look_into(&file.path, format, &names, rows)?;
        if !names.is_empty() || found > 0 {
            sample.files.push((file.path.clone(), names));
        }
    }
    Ok(sample)
}

fn names(path: &Path, format: Format, rows: usize) -> Result<Vec<String>, Error> {
    match format {
        Format::JsonLines => JsonReader::new(decompressed(path)?, &[]).names(rows).map_err(|e| read_error(path, 0, e)),
        _ => csv_header(path),
    }
}

/// What the values are that the paths of `files` give to the column `name`.
pub(in crate::interactions) fn tally_paths(files: &[LogFile], name: &str) -> Tally {
    let mut tally = Tally::default();
    files.iter().filter_map(|file| file.partition(name)).for_each(|value| tally.add(value));
    tally
}

impl Sample {
    /// The names of all fields, in the order of first appearance.
    pub(in crate::interactions) fn fields(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The values seen in the field called `name`.
    pub(in crate::interactions) fn tally(&self, name: &str) -> Option<Tally> {
        self.fields.iter().find(|(field, _)| field == name).map(|&(_, tally)| tally)
    }

    /// The fields of the file at `path`, unless it holds nothing.
    pub(in crate::interactions) fn names(&self, path: &Path) -> Option<&[String]> {
        self.files.iter().find(|(file, _)| file == path).map(|(_, names)| names.as_slice())
    }

    /// Adds what the first rows hold; returns how many there were.
    fn look_into(&mut self, path: &Path, format: Format, names: &[String], rows: usize) -> Result<usize, Error> {
        let mut reader = open(path, format, names)?;
        let slots: Vec<usize> = names.iter().map(|name| self.slot(name)).collect();
        let mut row = Row::default();
        for found in 0..rows {
            if !reader.read(&mut row).map_err(|e| read_error(path, row.line, e))? {
                return Ok(found);
            }
            for (field, &slot) in slots.iter().enumerate() {
                if let (Some(value), Some((_, tally))) = (row.get(field), self.fields.get_mut(slot)) {
                    tally.add(value);
                }
            }
        }
        Ok(rows)
    }

    fn slot(&mut self, name: &str) -> usize {
        self.fields.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.fields.push((name.to_owned(), Tally::default()));
            self.fields.len() - 1
        })
    }
}

/// How many of the values of a column read as what.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::interactions) struct Tally {
    values: usize,
    integers: usize,
    numbers: usize,
    booleans: usize,
    times: usize,
}

impl Tally {
    /// Counts one value; nulls do not count.
    pub(in crate::interactions) fn add(&mut self, value: &str) {
        self.values += 1;
        self.integers += usize::from(value.parse::<i64>().is_ok());
        self.numbers += usize::from(value.parse::<f64>().is_ok());
        self.booleans += usize::from(["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)));
        self.times += usize::from(is_time(value));
    }

    /// The type that nine of ten values have: all numbers are doubles, as one fraction far down a column must not make
    /// it unreadable.
    pub(in crate::interactions) fn data_type(self) -> DataType {
        match self {
            // Null fits every expression, where text would only fit those on text.
            Tally { values: 0, .. } => DataType::Null,
            _ if self.mostly(self.numbers) => DataType::Float64,
            _ if self.mostly(self.booleans) => DataType::Boolean,
            _ if self.mostly(self.times) => INSTANT,
            _ => DataType::Utf8View,
        }
    }

    /// Whether a column of times seems to count something.
    pub(in crate::interactions) fn is_integer(self) -> bool {
        self.mostly(self.integers)
    }

    fn mostly(self, these: usize) -> bool {
        self.values > 0 && these * 10 >= self.values * 9
    }
}

fn is_time(value: &str) -> bool {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    DateTime::parse_from_rfc3339(value).is_ok()
        || NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f").is_ok()
        || NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok()
}
