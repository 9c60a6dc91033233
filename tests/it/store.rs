//! The store through its public doors.

mod channels;
mod crash;
mod decisions;
mod experiments;
mod explain;
pub(crate) mod fixture;
mod judgements;
mod limits;
mod live;
mod models;
mod snapshot;
mod versions;
