//! Whose directory it is: `simulation.json` says which simulation a directory holds.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::config::Config;
use super::draft::Draft;
use super::error::SimulateError;

/// Grows whenever the same config gives other files, so that no directory mixes the two.
const GENERATOR: u32 = 1;

const MANIFEST: &str = "simulation.json";

/// Makes `dir` this simulation's, or sees that it is.
pub(super) fn claim(dir: &Path, config: &Config) -> Result<(), SimulateError> {
    let path = dir.join(MANIFEST);
    let wanted = json!({ "generator": GENERATOR, "config": config });
    match fs::read_to_string(&path) {
        Ok(found) => compare(&path, &found, &wanted),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            expect_empty(dir)?;
            Draft::create(&path)?.write(|out| writeln!(out, "{wanted:#}"))
        }
        Err(source) => Err(SimulateError::Io { doing: "reading", path, source }),
    }
}

fn compare(path: &Path, found: &str, wanted: &Value) -> Result<(), SimulateError> {
    let unreadable = |problem: String| SimulateError::Unreadable { path: path.to_owned(), problem };
    let found: Value = serde_json::from_str(found).map_err(|error| unreadable(error.to_string()))?;
    if found["generator"] != wanted["generator"] {
        return Err(unreadable(format!("its generator is {}, this build's is {GENERATOR}", found["generator"])));
    }
    // Through text, as `found` went, so that both have their fractions rounded by the same parser.
    let wanted: Value = serde_json::from_str(&wanted.to_string()).map_err(|error| unreadable(error.to_string()))?;
    match first_difference(&found["config"], &wanted["config"]) {
        None => Ok(()),
        Some((field, found, wanted)) => {
            Err(SimulateError::OtherSimulation { path: path.to_owned(), field, found, wanted })
        }
    }
}

/// The first setting that differs, and both values.
fn first_difference(found: &Value, wanted: &Value) -> Option<(String, String, String)> {
    let wanted = wanted.as_object()?;
    let (field, wanted) = wanted.iter().find(|(field, value)| found.get(field.as_str()) != Some(value))?;
    Some((field.clone(), found[field].to_string(), wanted.to_string()))
}

/// Hidden files do not count: file systems and desktops leave some in every directory.
fn expect_empty(dir: &Path) -> Result<(), SimulateError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(SimulateError::io("reading", dir))?,
    };
    for entry in entries {
        let name = entry.map_err(SimulateError::io("reading", dir))?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            return Err(SimulateError::NotASimulation { dir: dir.to_owned() });
        }
    }
    Ok(())
}
