//! What can be wrong with a log, and with counting it.

use std::io;
use std::path::PathBuf;

use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;

use super::log::Span;
use super::report::Report;
use super::window::Window;
use bytesize::ByteSize;

/// Why a log cannot be opened or counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that holds nobody out, or more than it should.
    #[error("[evaluation.held_out] {field} = `{value}`: {problem}")]
    HeldOut {
        /// The key.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        problem: &'static str,
    },
    /// A value of the config that cannot be.
    #[error("[interactions] {field} = {value}: {problem}")]
    Config {
        /// The key.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it should say.
        problem: &'static str,
    },
    /// An object store.
    #[error("`{path}` is not supported yet: copy the log to a local directory, or mount it, and give that path")]
    Url {
        /// The URL.
        path: String,
    },
    /// Nothing there.
    #[error("no log files at `{path}`: expected .parquet, or .csv or .jsonl (plain, .gz or .zst); check the path")]
    NoFiles {
        /// File, directory or glob.
        path: String,
    },
    /// Not a glob.
    #[error("`{path}` is no pattern of paths: {problem}")]
    Glob {
        /// The pattern.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file whose name does not tell its format.
    #[error("cannot tell the format of {path}: name it .parquet, or .csv or .jsonl (plain, .gz or .zst)")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// Two formats in one log.
    #[error("{first} and {second} are of different formats: a log has one; give a glob that selects it")]
    MixedFormats {
        /// A file of one format.
        first: PathBuf,
        /// A file of another.
        second: PathBuf,
    },
    /// The system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not Parquet, or torn.
    #[error("{path} is not a readable Parquet file: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: ParquetError,
    },
    /// A header that cannot be one.
    #[error("{path}: column `{column}` stands twice in the header: names must be unique")]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// Files that disagree on a column.
    #[error("column `{column}` is {first} in an earlier file but {second} in {path}: write both alike")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type so far.
        first: DataType,
        /// Its type in `path`.
        second: DataType,
        /// The file that differs.
        path: PathBuf,
    },
    /// A column that the config names and a file lacks.
    #[error("{path} has no column `{column}` ({role}); {known}")]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The name looked for.
        column: String,
        /// The config key that names it.
        role: &'static str,
        /// The nearest names and all others.
        known: String,
    },
    /// Neither clusters nor a way to find them.
    #[error(
        "{path} has no column `{cluster}`, and no `items` file is configured to find the cluster of an item in: \
         set [interactions] columns.cluster or items; {known}"
    )]
    NoCluster {
        /// The file.
        path: PathBuf,
        /// The name of the cluster column.
        cluster: String,
        /// The nearest names and all others.
        known: String,
    },
    /// A column whose type does not fit its use.
    #[error("{path}: column `{column}` holds {found}; {remedy}")]
    UnfitColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The type found.
        found: String,
        /// What is expected and what to set.
        remedy: &'static str,
    },
    /// An expression that is none.
    #[error("{key} = `{expression}`: {problem}; {known}")]
    Expression {
        /// The key of the config at which it stands.
        key: String,
        /// The expression.
        expression: String,
        /// What is wrong with it.
        problem: String,
        /// The columns it can use.
        known: String,
    },
    /// An items file that does not map items to clusters.
    #[error("items file {path}: {problem}")]
    Items {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which row.
        problem: String,
    },
    /// A log without a single row.
    #[error("the log at `{path}` is empty: its files hold no rows")]
    EmptyLog {
        /// File, directory or glob.
        path: String,
    },
    /// A window without a single row.
    #[error("no interactions in the window {window}: the log spans {span}")]
    EmptyWindow {
        /// The window.
        window: Window,
        /// What the log holds.
        span: Span,
    },
    /// A window without a positive.
    #[error("none of the {rows} rows in the window {window} is positive by `{expression}`: check the expression")]
    NoPositives {
        /// Rows in the window.
        rows: u64,
        /// The window.
        window: Window,
        /// The expression.
        expression: String,
    },
    /// More bad rows than the config allows.
    #[error(
        "{} of {} rows are bad, more than max_bad_share = {limit} allows:\n{report}", report.bad_rows(), report.rows
    )]
    BadRows {
        /// What was found.
        report: Box<Report>,
        /// The share allowed.
        limit: f64,
    },
    /// A key length that is not counted.
    #[error("k = {0}: keys have 1 to 4 clusters")]
    KeyLength(usize),
    /// A file of counts that cannot be right.
    #[error("{path}, line {line}: {problem}")]
    CountsFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Counting needs more than it is given.
    #[error("{doing} needs more than [interactions] memory = {limit}: raise it, or lower threads ({message})")]
    Memory {
        /// What was being done.
        doing: &'static str,
        /// The limit.
        limit: ByteSize,
        /// What the engine says.
        message: String,
    },
    /// No place to spill to.
    #[error(
        "{doing}: cannot spill to {directory}: {message}; make room, or set [interactions] spill_dir to another place"
    )]
    Spill {
        /// What was being done.
        doing: &'static str,
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        message: String,
    },
    /// Anything else that the engine reports.
    #[error("{doing}: {message}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What the engine says.
        message: String,
        /// The engine's error.
        source: Box<DataFusionError>,
    },
    /// The result could not be written.
    #[error("cannot write the counts: {0}")]
    Output(#[source] csv::Error),
}
