//! The steps of a cycle, one file each.

pub(super) mod ask;
pub(super) mod count;
pub(super) mod input;
pub(super) mod publish;
pub(super) mod retrieve;
