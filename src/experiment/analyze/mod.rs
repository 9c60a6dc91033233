//! What an arm is worth (section 3.2, Figure 4): the relative difference between treatment and control, with its
//! interval. Pure statistics over what units did: no I/O, no clock.
//!
//! The unit of analysis is the unit of assignment: all that one unit did is one observation of a [`Moments`], so that
//! intervals are right however much the rows of one unit depend on each other. A [`Study`] gathers units, day by day;
//! [`compare`] and [`compare_adjusted`] turn two arms' moments into an [`Effect`]; [`sample_ratio`] says whether the
//! arms hold the units that they should, without which no effect may be read.

mod distribution;
mod effect;
mod mismatch;
mod moments;
mod study;

pub use effect::{Effect, Unreadable, compare, compare_adjusted};
pub use mismatch::{SampleRatio, sample_ratio};
pub use moments::{Moments, Observation};
pub use study::{DayReading, Kind, MetricReading, Reading, Study, Total, UnitTotals, Value};
