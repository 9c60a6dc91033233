//! The store through its public doors.

mod channels;
mod crash;
mod fixture;
mod limits;
mod live;
mod snapshot;
mod versions;
