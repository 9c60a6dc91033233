//! When users first met clusters: what replays and judgements ask about.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;

use super::counts;
use crate::ids::ClusterId;

/// A user's first meeting with a cluster, ever or in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// The cluster.
    pub cluster: ClusterId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Groups rows of `cluster_id, ts, place`; places count from 1 with every user.
pub(super) async fn grouped(mut rows: SendableRecordBatchStream) -> Result<Vec<Vec<Meeting>>, DataFusionError> {
    let mut users: Vec<Vec<Meeting>> = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let [ids, places] = [0, 2].map(|at| batch.column(at).as_primitive::<Int64Type>().values());
        let times = batch.column(1).as_primitive::<TimestampNanosecondType>().values();
        for ((&id, &nanoseconds), &place) in ids.iter().zip(times).zip(places) {
            let at = DateTime::from_timestamp_nanos(nanoseconds);
            let meeting = Meeting { cluster: counts::cluster(id), at };
            match users.last_mut() {
                Some(user) if place > 1 => user.push(meeting),
                _ => users.push(vec![meeting]),
            }
        }
    }
    Ok(users)
}
