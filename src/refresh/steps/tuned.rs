//! Whether a model of the store is asked what it was tuned for.

use super::registry::refused;
use crate::finetune::Manifest;
use crate::inference::Prompts;
use crate::inference::prompt::Template;
use crate::interactions::HeldOut;
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Settings};
use crate::store::models::ModelManifest;
use crate::taxonomy::Taxonomy;

/// Refuses a model that was tuned for other clusters, or for histories of another length. Warns where it was tuned with
/// other prompts than those that it is going to be asked: it can answer them, but its gates did not see how.
pub(super) fn check(
    cycle: &Cycle<'_>,
    model: &ModelManifest,
    taxonomy: &Taxonomy,
    prompts: &Prompts,
) -> Result<(), RefreshError> {
    let (settings, model, training) = (cycle.settings, model.model, &model.training);
    let Some(tuned) = Manifest::of_training(training) else {
        tracing::warn!(
            "{model} does not say what samples it was tuned with: whether it knows these clusters is not known"
        );
        return Ok(());
    };
    let (theirs, own) = (tuned.taxonomy_hash, taxonomy.hash());
    if theirs != own {
        return Err(refused(
            model,
            format!(
                "tuned for the taxonomy {theirs}, and {} holds {own}: tune one for these clusters (`segue finetune \
                 curate`, `segue finetune run`), and set inference.backend to \"retrieved\" until then",
                settings.clusters.path.display()
            ),
        ));
    }
    let (theirs, own) = (tuned.k, settings.table.k);
    if theirs != own {
        let problem = format!("tuned for histories of {theirs} clusters, and table.k = {own}: set it to {theirs}, or ");
        return Err(refused(model, problem + "curate and tune again"));
    }
    for (with, asked) in differences(&tuned, settings, prompts) {
        tracing::warn!(
            "{model} was tuned and judged with {with}, and is asked with {asked}: what gates find may not hold; let the two \
             agree, or curate and tune again"
        );
    }
    Ok(())
}

/// How it was asked and judged, and how it is going to be.
fn differences(tuned: &Manifest, settings: &Settings, prompts: &Prompts) -> Vec<(String, String)> {
    let asked = settings.inference.prompt.template;
    let mut found = Vec::new();
    if tuned.prompt_hash != prompts.hash() {
        let named = |template: Template, hash: &str| format!("the prompt `{}` ({hash})", template.name());
        found.push((named(tuned.config.prompt, &tuned.prompt_hash), named(asked, &prompts.hash())));
    }
    let both_show = [tuned.config.prompt, asked] == [Template::Rag; 2];
    if both_show && tuned.retrieval != settings.retrieval {
        found.push((format!("[retrieval] {}", tuned.retrieval), settings.retrieval.to_string()));
    }
    if tuned.held_out != settings.evaluation.held_out {
        let named = |HeldOut { share, salt }: &HeldOut| format!("{share} of users held out by the salt `{salt}`");
        found.push((named(&tuned.held_out), named(&settings.evaluation.held_out)));
    }
    found
}
