//! Segue from outside, in one binary.

mod serve;
