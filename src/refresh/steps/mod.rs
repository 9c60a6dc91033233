//! The steps of a cycle, one file each.

pub(super) mod count;
pub(super) mod input;
pub(super) mod judge;
pub(super) mod publish;
