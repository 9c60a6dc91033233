//! The integration tests: one binary, through public doors.

mod store;
