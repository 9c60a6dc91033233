//! A log as one table, whatever its format, with what is known of its columns.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;

use super::columns::known;
use super::error::Error;
use super::files::{self, Format, LogFile};
use super::parquet::ParquetTable;
use super::text::{self, BROKEN, FILE, LINE, Tally, TextTable};

/// An opened log.
pub(super) struct Source {
    pub(super) table: Arc<dyn TableProvider>,
    pub(super) columns: Vec<Column>,
    /// What each file has, where a file lacks no column by accident.
    files: Vec<FileColumns>,
    /// Which files were found, and in what state.
    pub(super) fingerprint: u128,
}

/// The columns of one file, those of its path included.
pub(super) struct FileColumns {
    pub(super) path: PathBuf,
    pub(super) names: Vec<String>,
}

/// A column of the log.
pub(super) struct Column {
    pub(super) name: String,
    /// The type in which it is read.
    pub(super) stored: DataType,
    /// The type in which expressions see it: that of the values, where text is read.
    pub(super) seen: DataType,
    /// Whether text holds integers only.
    pub(super) counts: bool,
}

impl FileColumns {
    pub(super) fn new(file: &LogFile, own: impl IntoIterator<Item = String>) -> Self {
        let carried = file.partitions.iter().map(|(name, _)| name.clone());
        Self { path: file.path.clone(), names: own.into_iter().chain(carried).collect() }
    }
}

/// A log's rows, its columns, and what each file has of them.
type Opened = (Arc<dyn TableProvider>, Vec<Column>, Vec<FileColumns>);

impl Source {
    /// Resolves `path` and looks into every file: footers of Parquet, the first rows of text.
    pub(super) fn open(path: &str) -> Result<Self, Error> {
        let (format, files) = files::resolve(path)?;
        let fingerprint = files::fingerprint(&files);
        let (table, columns, files) = match format {
            Format::Parquet => Self::parquet(&files)?,
            Format::Csv | Format::JsonLines => Self::text(format, files)?,
        };
        if files.is_empty() {
            return Err(Error::EmptyLog { path: path.to_owned() });
        }
        Ok(Self { table, columns, files, fingerprint })
    }

    fn parquet(files: &[LogFile]) -> Result<Opened, Error> {
        let (table, known) = ParquetTable::open(files)?;
        let columns = columns(&table, |name| table.is_carried(name).then(|| text::tally_paths(files, name)));
        Ok((Arc::new(table), columns, known))
    }

    fn text(format: Format, mut files: Vec<LogFile>) -> Result<Opened, Error> {
        let sample = text::sample(format, &files)?;
        // A file without even a header is a quiet day, not one without the right columns.
        files.retain(|file| sample.names(&file.path).is_some());
        let table = TextTable::new(format, files.clone(), sample.fields());
        let columns = columns(&table, |name| sample.tally(name).or_else(|| Some(text::tally_paths(&files, name))));
        let of_file = |file: &LogFile| Some(FileColumns::new(file, sample.names(&file.path)?.iter().cloned()));
        let known = match format {
            // A line of JSON may lack any field, and so may all lines of a file.
            Format::JsonLines => files.iter().take(1).map(|file| FileColumns::new(file, sample.fields())).collect(),
            _ => files.iter().filter_map(of_file).collect(),
        };
        Ok((Arc::new(table), columns, known))
    }

    /// The column called `name`, if the log has it.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column called `name`, which every file must have; `role` is the config key that names it.
    pub(super) fn require(&self, name: &str, role: &'static str) -> Result<&Column, Error> {
        let lacking = self.files.iter().find(|file| !file.names.iter().any(|known| known == name));
        let missing = |path: PathBuf, names: &[String]| Error::MissingColumn {
            path,
            column: name.to_owned(),
            role,
            known: known(name, names.iter().map(String::as_str)),
        };
        match lacking {
            Some(file) => Err(missing(file.path.clone(), &file.names)),
            None => self.column(name).ok_or_else(|| missing(self.first_file(), &[])),
        }
    }

    /// The first file, which stands for the log in messages.
    pub(super) fn first_file(&self) -> PathBuf {
        self.files.first().map(|file| file.path.clone()).unwrap_or_default()
    }

    /// The clause that lists the columns, the one nearest to `name` first.
    pub(super) fn known(&self, name: &str) -> String {
        known(name, self.columns.iter().map(|column| column.name.as_str()))
    }
}

/// The log's columns, those of text in the type that their values have.
fn columns(table: &dyn TableProvider, tally: impl Fn(&str) -> Option<Tally>) -> Vec<Column> {
    let schema = table.schema();
    let fields = schema.fields().iter().filter(|field| ![FILE, LINE, BROKEN].contains(&field.name().as_str()));
    let column = |name: &str, stored: &DataType| {
        let tally = tally(name);
        let seen = tally.map_or_else(|| stored.clone(), Tally::data_type);
        Column { name: name.to_owned(), stored: stored.clone(), seen, counts: tally.is_some_and(Tally::is_integer) }
    };
    fields.map(|field| column(field.name(), field.data_type())).collect()
}
