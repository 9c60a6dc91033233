//! Transitions one by one, with their times: what fine-tuning samples are drawn from.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::future;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use xxhash_rust::xxh3::xxh3_64;

use super::counts;
use super::engine::Limits;
use super::error::Error;
use crate::ids::ClusterId;

/// Whose a transition is. A user is in one part only, whatever the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Learnt from.
    Train,
    /// Watched while learning.
    Validation,
    /// The held-out users.
    Test,
}

/// One user's step from a key to the next cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// `(c1, ..., ck)`, the oldest first.
    pub key: Vec<ClusterId>,
    /// `c_next`.
    pub next: ClusterId,
    /// When `c1` was met.
    pub began: DateTime<Utc>,
    /// When `c_next` was met.
    pub at: DateTime<Utc>,
    /// Who made it: a hash of the user's id.
    pub user: u64,
    /// Which part that user is in.
    pub part: Part,
    /// Whether the user had never met `c_next` before, in the window or earlier.
    pub novel: bool,
}

/// Transitions in the order of [`Moved::at`].
pub type SampleStream = BoxStream<'static, Result<Moved, Error>>;

/// Reads rows of `c1, ..., ck, next, began, moved, part, novel, person`.
pub(super) fn read(rows: SendableRecordBatchStream, k: usize, limits: Limits) -> SampleStream {
    let moves = rows.and_then(move |batch| future::ready(moves(&batch, k)));
    let moves = moves.map_err(move |e| limits.error("reading samples", e));
    moves.map_ok(|moves| stream::iter(moves.into_iter().map(Ok))).try_flatten().boxed()
}

fn moves(batch: &RecordBatch, k: usize) -> Result<Vec<Moved>, DataFusionError> {
    let whole = |at: usize| batch.column(at).as_primitive::<Int64Type>().values();
    let time = |at: usize| batch.column(at).as_primitive::<TimestampNanosecondType>().values();
    let (began, at, part, novel) = (time(k + 1), time(k + 2), whole(k + 3), whole(k + 4));
    // An engine may keep text in another layout.
    let persons = cast(batch.column(k + 5), &DataType::Utf8)?;
    let persons = persons.as_string::<i32>();
    let one = |row: usize| Moved {
        key: (0..k).map(|column| counts::cluster(whole(column)[row])).collect(),
        next: counts::cluster(whole(k)[row]),
        began: DateTime::from_timestamp_nanos(began[row]),
        at: DateTime::from_timestamp_nanos(at[row]),
        user: xxh3_64(persons.value(row).as_bytes()),
        part: match part[row] {
            0 => Part::Train,
            1 => Part::Validation,
            _ => Part::Test,
        },
        novel: novel[row] == 1,
    };
    Ok((0..batch.num_rows()).map(one).collect())
}
