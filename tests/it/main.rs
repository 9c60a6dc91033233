//! Behaviour through public doors, in one binary so that it links once.

mod lookup;
mod support;
mod table;
