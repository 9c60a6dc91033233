//! Behaviour through public doors, in one binary so that it links once.

#[cfg(feature = "refresher")]
mod count;
mod imports;
mod lookup;
#[cfg(feature = "refresher")]
mod process;
mod serve;
#[cfg(feature = "refresher")]
mod simulate;
mod support;
mod table;
