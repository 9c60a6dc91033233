//! What versions were made of, as their lineages tell: whether one repeats the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::ids::VersionId;
use crate::table::Lineage;

const DECODING: &str = "inference.decoding";
const SEED: &str = "inference.decoding.seed";

/// Names in the settings of what may differ between runs of one log: where its files lie, and how far a run came.
const IDLE: [&str; 2] = ["files", "inference.unanswered"];

/// How a version and its repeats were drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli::evaluate) struct Drawn {
    pub(in crate::cli::evaluate) temperature: f64,
    /// The first version's, then its repeats'.
    pub(super) seeds: Vec<u64>,
}

/// `inference.decoding`, as a lineage tells it.
#[derive(PartialEq, Deserialize)]
pub(super) struct Decoding {
    constrained: bool,
    pub(super) temperature: f64,
    pub(super) seed: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// How `first` was drawn, and the seed of its repeat. Refuses what is no repeat: it must differ by its seed alone, and have
/// been drawn where seeds matter.
pub(super) fn drawn(
    (first, made): (VersionId, &Lineage),
    (repeat, again): (VersionId, &Lineage),
) -> anyhow::Result<(Decoding, u64)> {
    let (Some(here), Some(there)) = (decoding(made), decoding(again)) else {
        bail!("{repeat} is no repeat of {first}: no language model was asked, and counts are the same in every run");
    };
    let mut differ = differences(made, again);
    differ.retain(|name| name != SEED);
    ensure!(
        differ.is_empty(),
        "{repeat} is no repeat of {first}: they differ in {}; make it of the same log, with the same settings but for {SEED}",
        differ.join(", ")
    );
    if here.constrained || here.temperature <= 0.0 {
        let how = if here.constrained { "constrained".into() } else { format!("at temperature {}", here.temperature) };
        bail!(
            "{repeat} says nothing of the noise of {first}: both were drawn {how}, where every run answers alike; make \
             both free, with inference.decoding.temperature above 0 (0.7, say)"
        );
    }
    let seed = there.seed;
    ensure!(
        here.seed != seed,
        "{repeat} is no repeat of {first}: both were drawn with the seed {seed}; give it another"
    );
    Ok((here, seed))
}

/// What two versions were made of that is not the same, by the names in the config where it has them.
pub(super) fn differences(one: &Lineage, other: &Lineage) -> Vec<String> {
    let facts = [
        ("inference.backend", one.predictor != other.predictor),
        ("the model", one.model != other.model || one.tuned_to != other.tuned_to),
        ("the prompt", one.prompt_hash != other.prompt_hash),
        ("the window", (one.window_from, one.window_to) != (other.window_from, other.window_to)),
        ("the build", one.creator != other.creator),
    ];
    let facts = facts.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name);
    let settings: BTreeSet<&str> = one.settings.keys().chain(other.settings.keys()).map(String::as_str).collect();
    let differ = |name: &&str| !IDLE.contains(name) && one.settings.get(*name) != other.settings.get(*name);
    let only_seed = decoding(one).is_some_and(|decoding| {
        self::decoding(other).is_some_and(|there| decoding == Decoding { seed: decoding.seed, ..there })
    });
    let named = |name| if name == DECODING && only_seed { SEED } else { name };
    facts.chain(settings.into_iter().filter(differ).map(named)).map(str::to_owned).collect()
}

/// The template of a version's prompts, `base` or `rag`.
pub(in crate::cli::evaluate) fn template(version: VersionId, lineage: &Lineage) -> anyhow::Result<&str> {
    let found = lineage.settings.get(Lineage::TEMPLATE).map(String::as_str);
    found.with_context(|| format!("{version} does not say what its prompts showed: no language model was asked for it"))
}

fn decoding(lineage: &Lineage) -> Option<Decoding> {
    serde_json::from_str(lineage.settings.get(DECODING)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::DecodingConfig;

    fn made(temperature: f32, seed: u64) -> Lineage {
        let decoding = DecodingConfig { temperature, seed, ..DecodingConfig::default() };
        let settings = [
            (DECODING.to_owned(), serde_json::to_string(&decoding).unwrap()),
            ("files".to_owned(), format!("file {seed}")),
            ("retrieval.top".to_owned(), "1".to_owned()),
        ];
        Lineage { model: Some("m".into()), settings: settings.into(), ..Lineage::default() }
    }

    fn refusal(one: &Lineage, other: &Lineage) -> String {
        drawn((VersionId(2), one), (VersionId(4), other)).err().unwrap().to_string()
    }

    #[test]
    fn a_repeat_differs_by_its_seed_alone() {
        let first = made(0.7, 1);
        let (drawn, seed) = drawn((VersionId(2), &first), (VersionId(4), &made(0.7, 5))).unwrap();
        assert_eq!((drawn.temperature, drawn.seed, seed), (0.7, 1, 5));
        assert_eq!(differences(&first, &made(0.7, 5)), [SEED]);
        assert!(refusal(&first, &made(0.7, 1)).contains("both were drawn with the seed 1"));
        assert!(refusal(&made(0.0, 1), &made(0.0, 2)).contains("at temperature 0, where every run answers alike"));
        assert!(refusal(&first, &made(0.8, 2)).contains("they differ in inference.decoding;"));
        let mut other = Lineage { prompt_hash: Some("p".into()), ..made(0.7, 2) };
        other.settings.insert("retrieval.top".into(), "3".into());
        assert!(
            refusal(&first, &other).contains("v4 is no repeat of v2: they differ in the prompt, retrieval.top; make")
        );
        assert!(refusal(&Lineage::default(), &first).contains("no language model was asked"));
    }
}
