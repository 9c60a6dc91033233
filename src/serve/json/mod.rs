//! The HTTP face's messages: the contract as JSON. Unknown fields are refused, so that a misspelt one is not ignored.

mod admin;
mod experiments;
mod judging;
mod lookup;
mod refresh;

pub(super) use admin::*;
pub(super) use experiments::*;
pub(super) use judging::*;
pub(super) use lookup::*;
pub(super) use refresh::*;
