//! Live experiments: who is in which arm, and what an arm is worth.

mod analyze;
mod assign;
mod config;
mod reference;
mod truth;
