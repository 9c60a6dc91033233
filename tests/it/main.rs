//! Behaviour through public doors, in one binary so that it links once.

// What helpers unwrap is the test's own set-up.
#![allow(clippy::unwrap_used)]

mod store;
