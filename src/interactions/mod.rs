//! From logs to transition counts (sections 2.1 and 2.4): rows are read, normalised and checked, a user's positives put
//! in order, and the clusters that follow each other counted, in one SQL statement.
//!
//! A [`Log`] is opened with its [`Config`], asked for its [`Report`], and counted; [`CountsFile`] reads counts that were
//! made elsewhere. Memory is bounded by the config: what does not fit is spilled to disk. Bad rows are never fatal one
//! by one; too many of them are. Object stores are not supported yet.

mod clusters;
mod columns;
mod config;
mod counts;
mod counts_file;
mod engine;
mod error;
mod events;
mod expression;
mod files;
mod log;
mod mapping;
mod meetings;
mod parquet;
mod pool;
mod report;
mod rows;
mod samples;
mod sequences;
mod source;
mod sql;
mod survey;
mod text;
mod time;
mod users;
mod window;

pub use clusters::{ClustersConfig, ClustersError, load_taxonomy};
pub use config::{ColumnNames, Config, Sequence, TimestampUnit};
pub use counts::{CountStream, KeyCounts, write_counts};
pub use counts_file::CountsFile;
pub use error::Error;
pub(crate) use events::{EventLog, Events};
pub use log::{Log, Popular, Span};
pub use meetings::Meeting;
pub use report::{BadRow, Reason, Report};
pub use samples::{Moved, Part, SampleStream};
pub use sequences::{SequenceStream, UserSequences, clusters_of};
pub(crate) use sql::literal as sql_instant;
pub use sql::{daily_sql, meeting_sql, popular_sql, sample_sql, sequence_sql, transition_sql};
pub use users::{HeldOut, Users};
pub use window::{Window, WindowError};
