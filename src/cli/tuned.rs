//! What there is to tell of a tuned model beyond what the store knows of it.

use serde_json::{Value, json};

use super::output;
use crate::config::Config;
use crate::finetune::Manifest;
use crate::inference::{Backend, Choice};
use crate::interactions::Window;
use crate::store::Store;
use crate::store::models::Weights;

/// Tells what a person needs of a model's samples to draw such ones again, or to know why others came of it. Gives back
/// what else it says of its training: how often each answer is given is for --json.
pub(super) fn tell_samples(mut training: Value) -> anyhow::Result<Value> {
    let Some(manifest) = Manifest::of_training(&training) else { return Ok(training) };
    let Manifest { from, to, k, config, retrieval, splits, .. } = &manifest;
    let lines = |split: &str| splits.get(split).map_or(0, |split| split.samples);
    let answers = splits.get("train").map_or(0, |split| split.labels.len());
    let labels = json!(config.labels);
    let rows = [
        ("samples", ["train", "validation", "test"].map(|split| format!("{} {split}", lines(split))).join(", ")),
        ("answers", format!("{answers}, {}, drawn with the seed {}", labels.as_str().unwrap_or_default(), config.seed)),
        ("window", Window { from: Some(*from), to: Some(*to) }.to_string()),
        ("log", format!("{} ({})", manifest.log, manifest.log_files)),
        ("histories", format!("of {k} clusters of the taxonomy {}", manifest.taxonomy_hash)),
        ("prompt", format!("{} ({})", config.prompt.name(), manifest.prompt_hash)),
        ("retrieval", retrieval.to_string()),
    ];
    output::line("tuned with:")?;
    output::columns(&rows.map(|(name, says)| vec![format!("  {name}"), says]))?;
    if let Some(training) = training.as_object_mut() {
        training.remove("manifest");
    }
    Ok(training)
}

/// Says so where the config keeps refreshes from asking the model that may be asked.
pub(super) fn tell_unasked(config: &Config, store: &Store) -> anyhow::Result<()> {
    let Some(model) = store.current_model()? else { return Ok(()) };
    let backends = match store.model(model)?.weights {
        Weights::Adapter { .. } => &[Backend::Embedded][..],
        Weights::Remote { .. } => &[Backend::OpenAi, Backend::OpenAiBatch],
    };
    let mut wanted = Vec::new();
    if config.inference.model != Choice::Registry {
        wanted.push("model = \"registry\"".to_owned());
    }
    if !backends.contains(&config.inference.backend) {
        wanted.push(format!("backend = \"{}\"", backends[0].name()));
    }
    if !wanted.is_empty() {
        output::note(format_args!("refreshes will not ask {model} until [inference] says {}", wanted.join(" and ")));
    }
    Ok(())
}
