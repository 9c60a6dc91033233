//! What versions are called on the command line.

use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use chrono::{NaiveDate, NaiveTime};

use crate::ids::VersionId;
use crate::replay::{Compared, Refresh, Rows, Stored, Version};
use crate::store::{Mapping, Store};
use crate::table::MinCount;

/// A version by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Counted { refresh: Refresh, rows: Rows },
    Random,
    Versions(Vec<VersionId>),
    Channel(String),
}

/// What is no version's name.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{name}` is no version{problem}: write retrieved:STEP or popular:STEP (counted anew every STEP: day, week, month, \
     2d), retrieved:held or popular:held (counted once), retrieved:2026-01-31 (counted on that day), retrieved:STEP:200+30 \
     (only of keys seen that often), random, version:3 or version:3+5, or channel:NAME"
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
        let refresh = |step: &str| match (step, step.parse::<NaiveDate>()) {
            ("held", _) => Ok(Refresh::Once),
            (_, Ok(day)) => Ok(Refresh::At(day.and_time(NaiveTime::MIN).and_utc())),
            _ => step.parse().map(Refresh::Every).map_err(|error| because(&error)),
        };
        let supported = |counts: &str| {
            let counts = counts.split('+').map(str::parse).collect::<Result<_, _>>();
            counts.map(MinCount::ByLength).map_err(|error| because(&error))
        };
        let what = match name.split_once(':') {
            None if name == "random" => What::Random,
            Some(("retrieved", step)) => match step.split_once(':') {
                None => What::Counted { refresh: refresh(step)?, rows: Rows::Configured },
                Some((step, counts)) => {
                    What::Counted { refresh: refresh(step)?, rows: Rows::Supported(supported(counts)?) }
                }
            },
            Some(("popular", step)) => What::Counted { refresh: refresh(step)?, rows: Rows::None },
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

/// What a version is beside one that is counted anew, for the words about them.
pub(super) enum Kind {
    /// Counted once.
    Held,
    /// Counted with another support.
    Supported,
    /// Without rows.
    Popular,
    Random,
    /// Refreshed at another pace, or of the store.
    Other,
}

impl Named {
    pub(super) fn kind(&self) -> Kind {
        match &self.what {
            What::Random => Kind::Random,
            What::Counted { rows: Rows::None, .. } => Kind::Popular,
            What::Counted { rows: Rows::Supported(_), .. } => Kind::Supported,
            What::Counted { refresh: Refresh::Once | Refresh::At(_), .. } => Kind::Held,
            What::Counted { .. } | What::Versions(_) | What::Channel(_) => Kind::Other,
        }
    }

    /// Opens what is in the store; everything else needs nothing.
    pub(super) fn open(&self, store: impl FnOnce() -> anyhow::Result<Store>) -> anyhow::Result<Compared<Mapping>> {
        let version = match &self.what {
            What::Counted { refresh, rows } => Version::Counted { refresh: *refresh, rows: rows.clone() },
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
        let counted =
            ["retrieved:2d", "popular:month", "retrieved:held", "retrieved:2013-04-01", "retrieved:month:200+30"];
        for name in counted.into_iter().chain(["random", "version:3+v5", "channel:main"]) {
            assert_eq!(name.parse::<Named>().unwrap().name, name);
        }
        let what = "retrieved:2013-04-01:200+30".parse::<Named>().unwrap().what;
        let at = "2013-04-01T00:00:00Z".parse().unwrap();
        let rows = Rows::Supported(MinCount::ByLength(vec![200, 30]));
        assert_eq!(what, What::Counted { refresh: Refresh::At(at), rows });
        let none = ["", "retrieved", "retrieved:", "retrieved:2h", "version:x", "version:", "main"];
        for wrong in none.into_iter().chain(["retrieved:2013-04-31", "retrieved:month:", "popular:month:5"]) {
            let error = wrong.parse::<Named>().unwrap_err().to_string();
            assert!(error.contains("retrieved:STEP"), "{error}");
        }
    }
}
