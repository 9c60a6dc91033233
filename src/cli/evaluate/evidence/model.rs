//! What a language model adds: tables made with fresh behaviour in its prompts, and without.

use chrono::{DateTime, Utc};

use super::Args;
use crate::cli::evaluate::over::Over;
use crate::cli::evaluate::overlap::{self, Compared, template};
use crate::cli::evaluate::{hit_rate, versions::Named};
use crate::config::Config;
use crate::ids::VersionId;
use crate::interactions::Window;
use crate::replay::{HitRate, Step};
use crate::store::Store;

/// Two such tables.
pub(super) struct Made {
    pub(super) overlap: Compared,
    /// Of the table made with it, and of the one made without, first.
    pub(super) rates: HitRate,
}

/// The periods that they are compared by.
pub(super) const BY: Step = Step::Days(7);

/// Compares the versions that `--overlap` names: key by key, and by what they reach on the log from where both end.
pub(super) async fn measure(config: &Config, args: &Args) -> anyhow::Result<Option<Made>> {
    let &[without, with] = args.overlap.as_slice() else { return Ok(None) };
    let from = start(config, args, [(without, "base"), (with, "rag")])?;
    let compared = overlap::Args { first: without, second: with, repeat: args.repeat.clone() };
    let overlap = overlap::measure(config, &compared)?;
    let named = [format!("version:{}", with.0), format!("version:{}", without.0)];
    let baselines = ["retrieved:held", "popular:2d", "random"].map(str::to_owned);
    let mut versions = named.iter().map(|name| name.parse()).collect::<Result<Vec<Named>, _>>()?;
    versions.extend(args.versions.iter().cloned());
    versions.extend(baselines.iter().map(|name| name.parse()).collect::<Result<Vec<Named>, _>>()?);
    let over = Over { from: Some(from.to_rfc3339()), to: args.to.clone(), by: BY };
    let asked = hit_rate::Args::everyone(over, versions, Step::Days(30), args.resamples);
    let rates = hit_rate::measure(config, &asked).await?;
    Ok(Some(Made { overlap, rates }))
}

/// From when on both may be asked, and no earlier than `--from`. Each must have been made with the prompts named.
fn start(config: &Config, args: &Args, made: [(VersionId, &str); 2]) -> anyhow::Result<DateTime<Utc>> {
    let store = Store::open(&config.store)?;
    let mut from = Window::parse(args.from.as_deref(), None)?.from.unwrap_or(DateTime::<Utc>::MIN_UTC);
    for (version, expected) in made {
        let lineage = store.manifest(version)?.lineage;
        let found = template(version, &lineage)?;
        anyhow::ensure!(
            found == expected,
            "{version} was made with the template `{found}`, and `{expected}` is needed there: name the version made \
             without fresh behaviour first, and the one made with it second"
        );
        from = from.max(lineage.knows_to().unwrap_or(from));
    }
    Ok(from)
}
