//! What versions are called on the command line.

use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;

use crate::ids::VersionId;
use crate::replay::{Compared, Refresh, Stored, Version};
use crate::store::{Mapping, Store};

/// A version by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Counted { refresh: Refresh, rows: bool },
    Random,
    Versions(Vec<VersionId>),
    Channel(String),
}

/// What is no version's name.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{name}` is no version{problem}: write retrieved:STEP or popular:STEP (counted anew every STEP: day, week, month, \
     2d), retrieved:held or popular:held (counted once), random, version:3 or version:3+5, or channel:NAME"
)]
pub(super) struct ParseNameError {
    name: String,
    problem: String,
}

impl FromStr for Named {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let wrong = |problem: String| ParseNameError { name: name.to_owned(), problem };
        let because = |error: &dyn std::error::Error| wrong(format!(" ({error})"));
        let refresh = |step: &str| match step {
            "held" => Ok(Refresh::Once),
            step => step.parse().map(Refresh::Every).map_err(|error| because(&error)),
        };
        let what = match name.split_once(':') {
            None if name == "random" => What::Random,
            Some(("retrieved", step)) => What::Counted { refresh: refresh(step)?, rows: true },
            Some(("popular", step)) => What::Counted { refresh: refresh(step)?, rows: false },
            Some(("version", ids)) => {
                let ids = ids.split('+').map(str::parse).collect::<Result<_, _>>();
                What::Versions(ids.map_err(|error| because(&error))?)
            }
            Some(("channel", name)) => What::Channel(name.to_owned()),
            _ => return Err(wrong(String::new())),
        };
        Ok(Self { name: name.to_owned(), what })
    }
}

impl Named {
    /// Opens what is in the store; everything else needs nothing.
    pub(super) fn open(&self, store: impl FnOnce() -> anyhow::Result<Store>) -> anyhow::Result<Compared<Mapping>> {
        let version = match &self.what {
            What::Counted { refresh, rows } => Version::Counted { refresh: *refresh, rows: *rows },
            What::Random => Version::Random,
            What::Versions(ids) => stored(&store()?, ids)?,
            What::Channel(name) => {
                let store = store()?;
                let channel = store.channel(name)?;
                let channel = channel.with_context(|| format!("there is no channel `{name}` to evaluate"))?;
                let mut ids: Vec<VersionId> = channel.moves.iter().map(|step| step.version).collect();
                ids.sort_unstable();
                ids.dedup();
                // Removed by gc meanwhile, perhaps.
                let kept = store.versions()?;
                ids.retain(|id| kept.contains(id));
                stored(&store, &ids)?
            }
        };
        Ok(Compared { name: self.name.clone(), version })
    }
}

fn stored(store: &Store, ids: &[VersionId]) -> anyhow::Result<Version<Mapping>> {
    let load = |id: &VersionId| Ok(Stored { name: id.to_string(), table: Arc::new(store.load(*id)?) });
    Ok(Version::Stored(ids.iter().map(load).collect::<anyhow::Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["random", "retrieved:2d", "popular:month", "retrieved:held", "version:3+v5", "channel:main"] {
            assert_eq!(name.parse::<Named>().unwrap().name, name);
        }
        for wrong in ["", "retrieved", "retrieved:", "retrieved:2h", "version:x", "version:", "main"] {
            let error = wrong.parse::<Named>().unwrap_err().to_string();
            assert!(error.contains("retrieved:STEP"), "{error}");
        }
    }
}
