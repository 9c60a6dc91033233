//! What is asked for on the command line.

use std::path::PathBuf;

use crate::{MIB, Outcome};

/// What can be measured apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Waits,
    Latency,
    Limit,
    Refresh,
}

pub(crate) struct Args {
    pub(crate) size: u64,
    pub(crate) swaps: u64,
    /// Whether bounds are asked for.
    pub(crate) bounded: bool,
    pub(crate) dir: PathBuf,
    /// Only fill this store: in a process of its own, so that building leaves no trace in the figures.
    pub(crate) build: Option<PathBuf>,
    /// Only swap, within the limit under which this process was started.
    pub(crate) limited: bool,
    only: Option<Part>,
}

impl Args {
    pub(crate) fn from_command_line() -> Outcome<Self> {
        let (dir, build, limited, only) = (PathBuf::from("target/bench-data/swap"), None, false, None);
        let mut args = Self { size: 16 * MIB, swaps: 2, bounded: false, dir, build, limited, only };
        if std::env::args().any(|word| word == "--bench") {
            (args.size, args.swaps, args.bounded) = (1024 * MIB, 9, true);
        }
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--size" => args.size = bytes(&value()?)?,
                "--swaps" => args.swaps = value()?.parse()?,
                "--quick" => (args.size, args.swaps) = (256 * MIB, 3),
                "--dir" => args.dir = value()?.into(),
                "--only" => args.only = Some(part(&value()?)?),
                "--build" => args.build = Some(value()?.into()),
                "--limited" => args.limited = true,
                "--bench" | "--test" => {}
                other => return Err(format!("{other} is not understood: see the head of benches/swap/main.rs").into()),
            }
        }
        Ok(args)
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let only = self.only;
        let all = [Part::Waits, Part::Latency, Part::Limit, Part::Refresh];
        all.into_iter().filter(move |&part| only.is_none_or(|only| only == part))
    }
}

fn part(name: &str) -> Outcome<Part> {
    let parts =
        [("waits", Part::Waits), ("latency", Part::Latency), ("limit", Part::Limit), ("refresh", Part::Refresh)];
    let found = parts.into_iter().find(|(known, _)| *known == name);
    Ok(found.ok_or(format!("{name} is no part: there are waits, latency, limit and refresh"))?.1)
}

/// `1GiB`, `64MiB` or plain bytes.
fn bytes(text: &str) -> Outcome<u64> {
    let units = [("GiB", 1024 * MIB), ("MiB", MIB), ("", 1)];
    let parsed = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, unit)));
    let (number, unit) = parsed.ok_or("every text ends in nothing")?;
    Ok(number.parse::<u64>()? * unit)
}
