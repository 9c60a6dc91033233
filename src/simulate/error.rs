//! What can go wrong with a simulation.

use std::io;
use std::path::{Path, PathBuf};

/// A setting that describes no simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("simulate.{field} is {value}: {rule}")]
pub struct ConfigError {
    /// The setting, with dots where it is nested.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub rule: String,
}

/// Why a simulation could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// A day beyond the configured ones.
    #[error("day {day} was asked for, the simulation has {days}, 0 to {}: set simulate.days higher", days - 1)]
    Day {
        /// The day asked for, counted from 0.
        day: u32,
        /// Days that the simulation has.
        days: u32,
    },
    /// A directory that holds something else.
    #[error("{} is not empty and holds no simulation.json: choose a new or an empty directory", dir.display())]
    NotASimulation {
        /// The directory.
        dir: PathBuf,
    },
    /// A directory that holds another simulation.
    #[error(
        "{} holds another simulation: its {field} is {found}, this one's is {wanted}; choose another directory, or set simulate.{field} to {found}",
        path.display()
    )]
    OtherSimulation {
        /// The other simulation's `simulation.json`.
        path: PathBuf,
        /// The first setting that differs.
        field: String,
        /// Its value in the directory, as JSON.
        found: String,
        /// Its value here, as JSON.
        wanted: String,
    },
    /// A `simulation.json` that was not written by this generator.
    #[error("{} cannot be read as a simulation of this build: {problem}; choose another directory", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The disk is full, a directory cannot be written, and the like. No file is left half-written under its name.
    #[error(
        "{doing} {} failed: {source}; make room or give permission and ask again, nothing half-written was left under that name",
        path.display()
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl SimulateError {
    /// For `map_err`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
