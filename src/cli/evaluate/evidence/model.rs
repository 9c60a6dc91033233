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
    /// What those that followed the one made with it are called there, that one included.
    pub(super) refreshed: Option<String>,
}

/// The periods that they are compared by.
pub(super) const BY: Step = Step::Days(7);

/// Compares the versions that `--overlap` names: key by key, and by what they reach on the log from where both end.
pub(super) async fn measure(config: &Config, args: &Args) -> anyhow::Result<Option<Made>> {
    let &[without, with] = args.overlap.as_slice() else { return Ok(None) };
    let store = Store::open(&config.store)?;
    let made = [(without, "base"), (with, "rag")].into_iter();
    made.chain(args.refreshed.iter().map(|&id| (id, "rag"))).try_for_each(|(id, of)| made_with(&store, id, of))?;
    let from = start(&store, args, [without, with])?;
    let compared = overlap::Args { first: without, second: with, repeat: args.repeat.clone() };
    let overlap = overlap::measure(config, &compared)?;
    let followed = || std::iter::once(&with).chain(&args.refreshed).map(|id| id.0.to_string()).collect::<Vec<_>>();
    let refreshed = (!args.refreshed.is_empty()).then(|| format!("version:{}", followed().join("+")));
    let named = [format!("version:{}", with.0), format!("version:{}", without.0)].into_iter().chain(refreshed.clone());
    let baselines = ["retrieved:held", "popular:2d", "random"].map(str::to_owned);
    let mut versions = named.map(|name| name.parse()).collect::<Result<Vec<Named>, _>>()?;
    versions.extend(args.versions.iter().cloned());
    versions.extend(baselines.iter().map(|name| name.parse()).collect::<Result<Vec<Named>, _>>()?);
    let over = Over { from: Some(from.to_rfc3339()), to: args.to.clone(), by: BY };
    let asked = hit_rate::Args::everyone(over, versions, Step::Days(30), args.resamples);
    let rates = hit_rate::measure(config, &asked).await?;
    Ok(Some(Made { overlap, rates, refreshed }))
}

/// Refuses a version that was not made with this template.
fn made_with(store: &Store, version: VersionId, expected: &str) -> anyhow::Result<()> {
    let lineage = store.manifest(version)?.lineage;
    let found = template(version, &lineage)?;
    anyhow::ensure!(
        found == expected,
        "{version} was made with the template `{found}`, and `{expected}` is needed there: name the version made without \
         fresh behaviour first, the one made with it second, and those that followed it as `--refreshed`"
    );
    Ok(())
}

/// From when on both may be asked, and no earlier than `--from`.
fn start(store: &Store, args: &Args, made: [VersionId; 2]) -> anyhow::Result<DateTime<Utc>> {
    let mut from = Window::parse(args.from.as_deref(), None)?.from.unwrap_or(DateTime::<Utc>::MIN_UTC);
    for version in made {
        from = from.max(store.manifest(version)?.lineage.knows_to().unwrap_or(from));
    }
    Ok(from)
}
