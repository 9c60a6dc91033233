//! Transition counts as a stream of keys, and as CSV.

use std::collections::VecDeque;
use std::io::Write;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};

use super::engine::Limits;
use super::error::Error;
use crate::ids::ClusterId;

/// A key `(c1, ..., ck)` with all that followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCounts {
    /// The clusters of the key, the oldest first.
    pub key: Vec<ClusterId>,
    /// `c_next` with its count, ascending by id.
    pub next: Vec<(ClusterId, u64)>,
}

/// Keys in ascending order. Only the one at hand is held in memory.
pub type CountStream = BoxStream<'static, Result<KeyCounts, Error>>;

/// Groups rows of `c1, ..., ck, next, count`, ordered by key, then next.
pub(super) fn grouped(rows: SendableRecordBatchStream, k: usize, limits: Limits) -> CountStream {
    let groups = Groups { rows, k, limits, done: VecDeque::new(), open: None };
    try_unfold(groups, |mut groups| async move { Ok(groups.next().await?.map(|group| (group, groups))) }).boxed()
}

struct Groups {
    rows: SendableRecordBatchStream,
    k: usize,
    limits: Limits,
    done: VecDeque<KeyCounts>,
    /// The last key met: the next batch may go on with it.
    open: Option<KeyCounts>,
}

impl Groups {
    async fn next(&mut self) -> Result<Option<KeyCounts>, Error> {
        while self.done.is_empty() {
            match self.rows.next().await {
                Some(batch) => self.take(&batch.map_err(|e| self.limits.error("counting transitions", e))?),
                None => return Ok(self.open.take()),
            }
        }
        Ok(self.done.pop_front())
    }

    fn take(&mut self, batch: &RecordBatch) {
        let columns = batch.columns().iter().take(self.k + 2);
        let columns: Vec<_> = columns.map(|column| column.as_primitive::<Int64Type>()).collect();
        let (key, rest) = columns.split_at(self.k);
        for row in 0..batch.num_rows() {
            let key = key.iter().map(|column| cluster(column.value(row)));
            let next = (cluster(rest[0].value(row)), rest[1].value(row).unsigned_abs());
            match &mut self.open {
                Some(open) if open.key.iter().copied().eq(key.clone()) => open.next.push(next),
                open => self.done.extend(open.replace(KeyCounts { key: key.collect(), next: vec![next] })),
            }
        }
    }
}

/// Ids come from the taxonomy, which holds no others.
pub(super) fn cluster(id: i64) -> ClusterId {
    ClusterId(u32::try_from(id).expect("rows of unknown clusters were left out"))
}

/// The columns of counts with keys of length `k`.
pub(super) fn header(k: usize) -> Vec<String> {
    (1..=k).map(|i| format!("c{i}")).chain(["next".to_owned(), "count".to_owned()]).collect()
}

/// Writes `counts` with keys of length `k` as CSV: a header `c1, ..., ck, next, count`, then a row for each transition
/// in key order. Returns the number of rows.
pub async fn write_counts(mut counts: CountStream, k: usize, out: impl Write) -> Result<u64, Error> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(header(k)).map_err(Error::Output)?;
    let mut rows = 0;
    let mut row = csv::ByteRecord::new();
    let mut digits = Vec::new();
    while let Some(KeyCounts { key, next }) = counts.try_next().await? {
        for (next, count) in next {
            row.clear();
            for number in key.iter().chain([&next]).map(|id| u64::from(id.0)).chain([count]) {
                digits.clear();
                write!(digits, "{number}").map_err(|e| Error::Output(e.into()))?;
                row.push_field(&digits);
            }
            writer.write_byte_record(&row).map_err(Error::Output)?;
            rows += 1;
        }
    }
    writer.flush().map_err(|e| Error::Output(e.into()))?;
    Ok(rows)
}
