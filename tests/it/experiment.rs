//! Live experiments: who is in which arm.

mod assign;
mod config;
