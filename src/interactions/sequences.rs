//! The sequences of users, read one user at a time.

use std::collections::VecDeque;

use chrono::DateTime;
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::{BoxStream, StreamExt, try_unfold};

use super::counts;
use super::engine::Limits;
use super::error::Error;
use super::meetings::Meeting;
use crate::ids::ClusterId;

/// One user's sequences, in time order; each holds two clusters or more, with when they were met in it.
pub type UserSequences = Vec<Vec<Meeting>>;

/// Users in no particular order that have a sequence. Only the one at hand is held in memory.
pub type SequenceStream = BoxStream<'static, Result<UserSequences, Error>>;

/// The clusters of a user's sequences, without their times.
pub fn clusters_of(user: &[Vec<Meeting>]) -> Vec<Vec<ClusterId>> {
    user.iter().map(|sequence| sequence.iter().map(|meeting| meeting.cluster).collect()).collect()
}

/// Groups rows of `cluster_id, ts, place_of_user, place`, in the order of a user's sequences; both places count from 1.
pub(super) fn grouped(rows: SendableRecordBatchStream, limits: Limits) -> SequenceStream {
    let groups = Groups { rows, limits, done: VecDeque::new(), open: Vec::new() };
    try_unfold(groups, |mut groups| async move { Ok(groups.next().await?.map(|user| (user, groups))) }).boxed()
}

struct Groups {
    rows: SendableRecordBatchStream,
    limits: Limits,
    done: VecDeque<UserSequences>,
    /// The user met last: the next batch may go on with them.
    open: UserSequences,
}

impl Groups {
    async fn next(&mut self) -> Result<Option<UserSequences>, Error> {
        while self.done.is_empty() {
            match self.rows.next().await {
                Some(batch) => self.take(&batch.map_err(|e| self.limits.error("reading sequences", e))?),
                None => {
                    self.close();
                    return Ok(self.done.pop_front());
                }
            }
        }
        Ok(self.done.pop_front())
    }

    fn take(&mut self, batch: &RecordBatch) {
        let [clusters, of_user, of_sequence] =
            [0, 2, 3].map(|at| batch.column(at).as_primitive::<Int64Type>().values());
        let times = batch.column(1).as_primitive::<TimestampNanosecondType>().values();
        let meetings = clusters.iter().zip(times).map(|(&id, &nanoseconds)| Meeting {
            cluster: counts::cluster(id),
            at: DateTime::from_timestamp_nanos(nanoseconds),
        });
        for ((meeting, &place_of_user), &place) in meetings.zip(of_user).zip(of_sequence) {
            if place_of_user == 1 {
                self.close();
            }
            if place == 1 {
                self.open.push(Vec::new());
            }
            if let Some(sequence) = self.open.last_mut() {
                sequence.push(meeting);
            }
        }
    }

    fn close(&mut self) {
        let mut user = std::mem::take(&mut self.open);
        user.retain(|sequence| sequence.len() >= 2);
        if !user.is_empty() {
            self.done.push_back(user);
        }
    }
}
