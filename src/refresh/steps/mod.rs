//! The steps of a cycle, one file each, and what is weighed before one.

pub(super) mod ask;
pub(super) mod count;
mod explain;
pub(super) mod input;
pub(super) mod judge;
pub(super) mod publish;
mod registry;
pub(super) mod retrieve;
mod tuned;
pub(super) mod weigh;
