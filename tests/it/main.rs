//! Segue from outside, in one binary.

#[cfg(feature = "refresher")]
mod simulate;
