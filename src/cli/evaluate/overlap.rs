//! `segue evaluate overlap` (section 3.1).

use serde::Serialize;

use super::told::{Row, Told, estimate, numbers, row};
use crate::chart::{Chart, Kind, Series, Value};
use crate::config::Config;
use crate::evaluation::{Estimate, FirstAnswers, Origin, Overlap};
use crate::ids::VersionId;
use crate::store::{Mapping, Store, StoreError};
use crate::table::Table;

/// Arguments of `segue evaluate overlap`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The version to compare with, say one made without fresh behaviour in its prompts
    first: VersionId,
    /// The version compared, say one made with it
    second: VersionId,
    /// A version made like the first, with another seed: how much differs from run to run alone; may be given again
    #[arg(long, value_name = "VERSION")]
    repeat: Vec<VersionId>,
}

/// Two versions, and how much of their difference is more than noise.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Compared {
    first: VersionId,
    second: VersionId,
    overlap: Overlap,
    identical: Option<Estimate>,
    /// Of the second version's answers; none where it keeps no explanations or asked no language model.
    origin: Option<Origin>,
    repeats: Vec<Repeat>,
    /// The share of keys that changed.
    change: Option<f64>,
    /// The mean share that differs between the first version and its repeats.
    noise: Option<f64>,
    /// Change less noise.
    net: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Repeat {
    version: VersionId,
    overlap: Overlap,
    identical: Option<Estimate>,
}

pub(super) fn run(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let store = Store::open(&config.store)?;
    let (first, second) = (store.load(args.first)?, store.load(args.second)?);
    let repeat = |&version: &VersionId| {
        let overlap = Overlap::of(&first, &store.load(version)?);
        Ok(Repeat { version, overlap, identical: overlap.share() })
    };
    let repeats = args.repeat.iter().map(repeat).collect::<Result<Vec<_>, StoreError>>()?;
    let overlap = Overlap::of(&first, &second);
    let differs = |share: Option<Estimate>| share.map(|share| 1.0 - share.value);
    let noises: Vec<f64> = repeats.iter().filter_map(|repeat| differs(repeat.identical)).collect();
    let noise = (!noises.is_empty()).then(|| noises.iter().sum::<f64>() / noises.len() as f64);
    let change = differs(overlap.share());
    let compared = Compared {
        first: args.first,
        second: args.second,
        overlap,
        identical: overlap.share(),
        origin: origin(&store, &first, &second, args.second)?,
        repeats,
        change,
        noise,
        net: change.zip(noise).map(|(change, noise)| change - noise),
    };
    Ok(told(&compared))
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

/// Every figure with its name: `keys` of them it is a share of.
fn figures(of: &Compared) -> Vec<(String, u64, Option<Estimate>)> {
    let Compared { first, second, .. } = of;
    let mut figures = vec![(format!("{first} and {second} identical"), of.overlap.keys, of.identical)];
    let repeats = of.repeats.iter();
    let named = |repeat: &Repeat| {
        (format!("{first} and its repeat {} identical", repeat.version), repeat.overlap.keys, repeat.identical)
    };
    figures.extend(repeats.map(named));
    if let Some(Origin { keys, context, new }) = of.origin {
        figures.push((format!("{second} says what its prompt showed"), keys, Estimate::share(context, keys)));
        figures.push((format!("{second} says what neither has"), keys, Estimate::share(new, keys)));
    }
    figures
}

fn told(of: &Compared) -> Told {
    let figures = figures(of);
    let shares = figures.iter().map(|(name, keys, share)| vec![name.clone(), keys.to_string(), estimate(*share)]);
    let Overlap { only_first, only_second, fell_back, .. } = of.overlap;
    let count = |name: String, count: u64| vec![name, count.to_string(), String::new()];
    let mut counts = vec![
        count(format!("keys of {} alone", of.first), only_first),
        count(format!("keys of {} alone", of.second), only_second),
        count("keys that fell back, not compared".into(), fell_back),
    ];
    let net = |(change, (noise, net)): (f64, (f64, f64))| {
        let said = format!("{:.1} % changed, {:.1} % do from run to run: ", 100.0 * change, 100.0 * noise);
        vec!["change beyond noise".into(), String::new(), format!("{said}{:+.1} points", 100.0 * net)]
    };
    counts.extend(of.change.zip(of.noise.zip(of.net)).map(net));
    let header = row(["answers", "keys", "share"]);
    let line = |(name, keys, share): &(String, u64, Option<Estimate>)| {
        [name.clone(), keys.to_string()].into_iter().chain(numbers(*share)).collect::<Row>()
    };
    Told {
        kind: "overlap",
        tables: vec![[header].into_iter().chain(shares).chain(counts).collect()],
        csv: [row(["figure", "keys", "value", "low", "high"])].into_iter().chain(figures.iter().map(line)).collect(),
        pictures: vec![("", chart(of, &figures))],
        result: serde_json::to_value(of).unwrap_or_default(),
    }
}

fn chart(of: &Compared, figures: &[(String, u64, Option<Estimate>)]) -> Chart {
    let value =
        |share: Option<Estimate>| share.map(|of| Value::within(100.0 * of.value, 100.0 * of.low, 100.0 * of.high));
    // Names are long: each bar is a series of its own, told by the legend.
    let series = figures.iter().enumerate().map(|(at, (name, _, share))| Series {
        name: name.clone(),
        values: (0..figures.len()).map(|place| value(*share).filter(|_| place == at)).collect(),
    });
    Chart {
        title: format!("Answers of {} beside {}, with 95 % intervals", of.second, of.first),
        x: "comparison".into(),
        y: "keys (%)".into(),
        names: (1..=figures.len()).map(|nth| nth.to_string()).collect(),
        series: series.collect(),
        kind: Kind::Bars,
    }
}
