//! The steps of a cycle, one file each.

pub(super) mod ask;
pub(super) mod count;
mod explain;
pub(super) mod input;
pub(super) mod judge;
pub(super) mod publish;
mod registry;
pub(super) mod retrieve;
