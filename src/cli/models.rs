//! `segue models`: the language models that were tuned, and which of them is asked.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{Common, output, who};
use crate::ids::ModelId;
use crate::store::models::{ModelManifest, ModelState, Weights};
use crate::store::{Judgement, Note, Store};

/// Arguments of `segue models`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The models, newest first; the newest approved one is asked where inference.model is "registry"
    List,
    /// One model: its state, what its gates found, how it was trained
    Show {
        /// The model, m3 or 3
        model: ModelId,
    },
    /// Let a model be asked, whatever its gates said
    Approve {
        /// The model, m3 or 3
        model: ModelId,
        /// Why, kept with the model
        #[arg(long)]
        why: String,
    },
    /// Retire a model: tables that it predicted stay
    Reject {
        /// The model, m3 or 3
        model: ModelId,
        /// Why, kept with the model
        #[arg(long)]
        why: String,
    },
    /// Go back to an earlier approved model: retires all that are newer
    Rollback {
        /// The model to go back to [default: the approved one before]
        model: Option<ModelId>,
        /// Why, kept with the models that are retired
        #[arg(long, default_value = "asked for on the command line")]
        why: String,
    },
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let store = Store::open(&config.store)?;
    let note = |why| Note { who: who(), why };
    match args.verb {
        Verb::List => list(common, &store)?,
        Verb::Show { model } => show(common, &store, model)?,
        Verb::Approve { model, why } => {
            let judgement = store.approve_model(model, &note(why))?;
            judged(common, &store, model, judgement.state)?;
        }
        Verb::Reject { model, why } => {
            let judgement = store.reject_model(model, &note(why))?;
            judged(common, &store, model, judgement.state)?;
        }
        Verb::Rollback { model, why } => {
            let model = store.rollback_model(model, &note(why))?;
            judged(common, &store, model, ModelState::Approved)?;
        }
    }
    #[cfg(feature = "refresher")]
    super::tuned::tell_unasked(&config, &store)?;
    Ok(ExitCode::SUCCESS)
}

fn list(common: &Common, store: &Store) -> anyhow::Result<()> {
    let current = store.current_model()?;
    let mut found = Vec::new();
    for model in store.models()? {
        found.push((store.model(model)?, store.model_state(model)?));
    }
    if common.json {
        let row = |(manifest, state): &(ModelManifest, ModelState)| {
            let asked = current == Some(manifest.model);
            json!({ "manifest": manifest, "state": state, "asked": asked })
        };
        return output::json(&found.iter().map(row).collect::<Vec<_>>());
    }
    let mut rows = vec![["model", "state", "asked", "created", "answers", "reason"].map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(|(manifest, state)| {
        let asked = if current == Some(manifest.model) { "*" } else { "" };
        let created = manifest.created.format("%F %T").to_string();
        let answers = answers(manifest).chars().take(40).collect();
        vec![manifest.model.to_string(), state.to_string(), asked.into(), created, answers, manifest.reason.clone()]
    }));
    Ok(output::columns(&rows)?)
}

fn answers(manifest: &ModelManifest) -> String {
    match &manifest.weights {
        Weights::Adapter { base, .. } => format!("adapter of {base}"),
        Weights::Remote { model } => model.clone(),
    }
}

fn show(common: &Common, store: &Store, model: ModelId) -> anyhow::Result<()> {
    let (manifest, state) = (store.model(model)?, store.model_state(model)?);
    let judgements = store.model_judgements(model)?;
    if common.json {
        let mut told = serde_json::to_value(&manifest)?;
        told["state"] = json!(state);
        told["judgements"] = json!(judgements);
        return output::json(&told);
    }
    output::line(format_args!("{model} is {state}: {}", answers(&manifest)))?;
    for Judgement { state, who, at, why, findings, .. } in judgements.iter().rev() {
        output::line(format_args!("{state} by {who}, {}: {why}", at.format("%F %T")))?;
        let row = |found: &crate::store::Finding| {
            vec![format!("  {}", found.outcome), found.gate.clone(), found.says.clone()]
        };
        output::columns(&findings.iter().map(row).collect::<Vec<_>>())?;
    }
    output::line(format_args!("added by {}, {}: {}", manifest.creator, manifest.created, manifest.reason))?;
    let training = manifest.training;
    #[cfg(feature = "refresher")]
    let training = super::tuned::tell_samples(training)?;
    output::line("trained so:")?;
    output::json(&training)
}

fn judged(common: &Common, store: &Store, model: ModelId, state: ModelState) -> anyhow::Result<()> {
    let asked = store.current_model()?;
    if common.json {
        return output::json(&json!({ "model": model, "state": state, "asked": asked }));
    }
    output::line(format_args!("{model} is {state}"))?;
    let asked = asked.map_or("no model".into(), |model| model.to_string());
    output::note(format_args!("where inference.model is \"registry\", {asked} is asked"));
    Ok(())
}
