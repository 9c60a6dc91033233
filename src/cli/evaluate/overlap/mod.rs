//! `segue evaluate overlap` (section 3.1).

mod made;
mod told;

use serde::Serialize;

use super::told::Told;
use crate::cli::refresh::Shown;
use crate::config::Config;
use crate::evaluation::{Estimate, FirstAnswers, Origin, Overlap};
use crate::ids::VersionId;
use crate::refresh::Progress;
use crate::store::{Mapping, Store, StoreError};
use crate::table::Table;
pub(super) use made::template;
use made::{Drawn, differences, drawn};
pub(super) use told::told;

/// Arguments of `segue evaluate overlap`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The version to compare with, say one made without fresh behaviour in its prompts
    pub(super) first: VersionId,
    /// The version compared, say one made with it
    pub(super) second: VersionId,
    /// A version made like the first at a temperature above 0, with another seed: how much differs from run to run alone;
    /// may be given again
    #[arg(long, value_name = "VERSION")]
    pub(super) repeat: Vec<VersionId>,
}

/// Two versions, and how much of their difference is more than noise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Compared {
    pub(super) first: VersionId,
    pub(super) second: VersionId,
    /// What the two were made of that is not the same.
    differ_in: Vec<String>,
    pub(super) overlap: Overlap,
    pub(super) identical: Option<Estimate>,
    /// Of the second version's answers; none where it keeps no explanations or asked no language model.
    pub(super) origin: Option<Origin>,
    pub(super) repeats: Vec<Repeat>,
    /// How the first version and its repeats were drawn; none without repeats.
    pub(super) drawn: Option<Drawn>,
    /// The share of keys that changed.
    change: Option<f64>,
    /// The mean share that differs between the first version and its repeats.
    noise: Option<f64>,
    /// Change less noise.
    pub(super) net: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Repeat {
    version: VersionId,
    overlap: Overlap,
    pub(super) identical: Option<Estimate>,
}

pub(super) fn run(config: &Config, args: &Args) -> anyhow::Result<Told> {
    Ok(told(&measure(config, args)?))
}

/// Compares two versions, and the first with its repeats, which must differ from it by their seed alone.
pub(super) fn measure(config: &Config, args: &Args) -> anyhow::Result<Compared> {
    let store = Store::open(&config.store)?;
    let (first, second) = (store.load(args.first)?, store.load(args.second)?);
    let mut drawings: Option<Drawn> = None;
    let mut shown = Shown::new();
    let (mut done, total) = (0, args.repeat.len() as u64 + 2);
    let mut show = |message: String| {
        shown.show(&Progress { step: "compare", done, total, message });
        done += 1;
    };
    let mut repeats = Vec::new();
    for &version in &args.repeat {
        show(format!("{} and its repeat {version}", args.first));
        let repeat = store.load(version)?;
        let of = drawn((args.first, first.lineage()), (version, repeat.lineage()))?;
        drawings.get_or_insert(Drawn { seeds: vec![of.0.seed], temperature: of.0.temperature }).seeds.push(of.1);
        let overlap = Overlap::of(&first, &repeat);
        repeats.push(Repeat { version, overlap, identical: overlap.share() });
    }
    show(format!("{} and {}", args.first, args.second));
    let overlap = Overlap::of(&first, &second);
    show(format!("what the prompts of {} showed", args.second));
    let origin = origin(&store, &first, &second, args.second)?;
    shown.bar.finish_and_clear();
    let differs = |share: Option<Estimate>| share.map(|share| 1.0 - share.value);
    let noises: Vec<f64> = repeats.iter().filter_map(|repeat| differs(repeat.identical)).collect();
    let noise = (!noises.is_empty()).then(|| noises.iter().sum::<f64>() / noises.len() as f64);
    let change = differs(overlap.share());
    Ok(Compared {
        first: args.first,
        second: args.second,
        differ_in: differences(first.lineage(), second.lineage()),
        overlap,
        identical: overlap.share(),
        origin,
        repeats,
        drawn: drawings,
        change,
        noise,
        net: change.zip(noise).map(|(change, noise)| change - noise),
    })
}

/// Where the second version's answers come from.
fn origin(
    store: &Store,
    first: &Table<Mapping>,
    second: &Table<Mapping>,
    version: VersionId,
) -> Result<Option<Origin>, StoreError> {
    let key_len = first.k().min(second.k());
    let (here, there) = (FirstAnswers::of(first, key_len), FirstAnswers::of(second, key_len));
    if !there.is_of_a_model() {
        return Ok(None);
    }
    let explanations = match store.explanations(version) {
        Err(StoreError::NoExplanations { .. }) => return Ok(None),
        explanations => explanations?,
    };
    let mut origin = Origin::default();
    for explanation in explanations {
        let explanation = explanation?;
        // Only prompts of full keys were asked.
        if explanation.key.len() == key_len
            && let (Some(other), Some(answer)) = (here.get(&explanation.key), there.get(&explanation.key))
        {
            origin.take(&explanation.retrieved, answer, other);
        }
    }
    Ok(Some(origin))
}
