//! Transitions one by one, with their times: what fine-tuning samples are drawn from.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

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
    /// Whose it is.
    pub part: Part,
    /// Whether the user had never met `c_next` before, in the window or earlier.
    pub novel: bool,
}

/// Transitions in the order of [`Moved::at`].
pub type SampleStream = BoxStream<'static, Result<Moved, Error>>;

/// Reads rows of `c1, ..., ck, next, began, moved, part, novel`.
pub(super) fn read(rows: SendableRecordBatchStream, k: usize, limits: Limits) -> SampleStream {
    let batches = rows.map_err(move |e| limits.error("reading samples", e));
    batches.map_ok(move |batch| stream::iter(moves(&batch, k).into_iter().map(Ok))).try_flatten().boxed()
}

fn moves(batch: &RecordBatch, k: usize) -> Vec<Moved> {
    let whole = |at: usize| batch.column(at).as_primitive::<Int64Type>().values();
    let time = |at: usize| batch.column(at).as_primitive::<TimestampNanosecondType>().values();
    let (began, at, part, novel) = (time(k + 1), time(k + 2), whole(k + 3), whole(k + 4));
    let one = |row: usize| Moved {
        key: (0..k).map(|column| counts::cluster(whole(column)[row])).collect(),
        next: counts::cluster(whole(k)[row]),
        began: DateTime::from_timestamp_nanos(began[row]),
        at: DateTime::from_timestamp_nanos(at[row]),
        part: match part[row] {
            0 => Part::Train,
            1 => Part::Validation,
            _ => Part::Test,
        },
        novel: novel[row] == 1,
    };
    (0..batch.num_rows()).map(one).collect()
}
