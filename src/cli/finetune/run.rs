//! `segue finetune run`: a log or samples of it in, a judged model in the registry out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};

#[cfg(feature = "embedded")]
use super::adapter;
use super::{curate, judge, order};
use crate::cli::tuned::tell_unasked;
use crate::cli::{Common, before_computing, end_with_parent, output, who};
use crate::config::Config;
use crate::evaluation;
use crate::finetune::{Backend, Manifest, Measured, Samples, prompts_of};
use crate::inference::Model;
use crate::interactions::{Window, load_taxonomy};
use crate::store::models::{ModelManifest, ModelState, NewModel, NewWeights, Weights};
use crate::store::{Judgement, Note, Store};
use crate::taxonomy::Taxonomy;

/// Exit code when a gate held the model.
const HELD: u8 = 3;
/// Exit code when whoever watched left: the job goes on.
const INTERRUPTED: u8 = 130;

/// Arguments of `segue finetune run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The samples' directory, as `segue finetune curate` writes it; where it is missing, samples are drawn first
    #[arg(long, value_name = "DIR", default_value = "samples")]
    pub(super) samples: PathBuf,
    /// Where the run is noted, with checkpoints and the adapter or the endpoint's job; it goes on from there
    #[arg(long, value_name = "DIR", default_value = "tuned")]
    pub(super) dir: PathBuf,
    /// Why, kept with the model
    #[arg(long, default_value = "asked for on the command line")]
    why: String,
    /// End with the process that started this one
    #[arg(long, hide = true)]
    attended: bool,
}

/// What a back end came to.
pub(super) struct Tuned {
    pub(super) weights: Learnt,
    /// What the model says of itself.
    pub(super) training: Value,
}

/// What answers.
pub(super) enum Learnt {
    /// The base model's name, and an adapter with the xxh3 that names it.
    #[cfg(feature = "embedded")]
    Adapter { base: String, xxh3: String, bytes: Vec<u8> },
    /// A model that an endpoint knows by this name.
    Remote(String),
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    if config.finetune.backend == Backend::Embedded {
        before_computing(&config);
    }
    if args.attended {
        end_with_parent()?;
    }
    Note { who: who(), why: args.why.clone() }.check()?;
    let store = Store::open(&config.store)?;
    let taxonomy = load_taxonomy(&config.clusters)?;
    if !args.samples.exists() {
        output::note(format_args!("drawing samples from the log, to {}", args.samples.display()));
        curate::draw(&config, &taxonomy, Window::default(), &args.samples)?;
    }
    let samples = Samples::read(&args.samples, &config.finetune, &taxonomy)?;
    fits(&samples.manifest, &config, &taxonomy)?;
    let Some(tuned) = tune(&config, &args, &samples)? else { return Ok(ExitCode::from(INTERRUPTED)) };
    if let Some(known) = known(&store, &tuned.weights)? {
        output::note(format_args!("this model is {} already: it is judged no second time", known.model));
        let judged = store.model_judgements(known.model)?.pop();
        let (state, why) = judged.map_or((ModelState::Candidate, String::new()), |last| (last.state, last.why));
        return report(common, &known, state, &why);
    }
    let judgement = judged(&config, &args, &tuned.weights, &samples, &taxonomy)?;
    let (state, why) = (judgement.state, judgement.why.clone());
    let manifest = store.add_model(&NewModel {
        weights: match &tuned.weights {
            #[cfg(feature = "embedded")]
            Learnt::Adapter { base, bytes, .. } => NewWeights::Adapter(base, bytes),
            Learnt::Remote(model) => NewWeights::Remote(model),
        },
        training: tuned.training,
        judgement: Some(judgement),
        creator: who(),
        reason: args.why,
    })?;
    if state == ModelState::Approved {
        tell_unasked(&config, &store)?;
    }
    report(common, &manifest, state, &why)
}

/// Learns from the samples, or has someone learn; `None` where whoever watched left.
fn tune(config: &Config, args: &Args, samples: &Samples) -> anyhow::Result<Option<Tuned>> {
    match config.finetune.backend {
        Backend::OpenAi => order::tune(config, args, samples),
        #[cfg(feature = "embedded")]
        Backend::Embedded => adapter::tune(config, args, samples).map(Some),
        #[cfg(not(feature = "embedded"))]
        Backend::Embedded => anyhow::bail!(
            "this build trains no model: build it with `--features embedded`, set [finetune] backend to \"openai\", or \
             hand the samples to another trainer"
        ),
    }
}

/// What the gates say of the model that came of it.
fn judged(
    config: &Config,
    args: &Args,
    learnt: &Learnt,
    samples: &Samples,
    taxonomy: &Taxonomy,
) -> anyhow::Result<Judgement<ModelState>> {
    let model: Arc<dyn Model> = match learnt {
        #[cfg(feature = "embedded")]
        Learnt::Adapter { .. } => Arc::new(adapter::model(config, args, taxonomy)?),
        Learnt::Remote(model) => Arc::new(order::model(config, model, taxonomy)?),
    };
    let Measured { report, left_out } = judge::figures(config, args, model, samples, taxonomy)?;
    let verdict = evaluation::judge_model(&report, &config.evaluation);
    anyhow::ensure!(
        left_out == 0 || !verdict.is_unmeasured(),
        "{left_out} questions to the tuned model were over [inference.budget], and those that were not tell too little to \
         judge it by: raise it and run again, which asks the rest alone"
    );
    Ok(verdict.judgement(&report, "gates", ModelState::Approved, ModelState::Held))
}

/// Refuses samples that no refresh would ask the model by, before it learns from them.
fn fits(samples: &Manifest, config: &Config, taxonomy: &Taxonomy) -> anyhow::Result<()> {
    prompts_of(samples, &config.inference, taxonomy)?;
    let (theirs, own) = (samples.k, config.table.k);
    anyhow::ensure!(
        theirs == own,
        "the samples are of histories of {theirs} clusters, and table.k = {own}: set it to {theirs}, or curate again"
    );
    Ok(())
}

/// The model in the registry that answers with these weights.
fn known(store: &Store, learnt: &Learnt) -> anyhow::Result<Option<ModelManifest>> {
    for model in store.models()? {
        let manifest = store.model(model)?;
        let same = match (&manifest.weights, learnt) {
            #[cfg(feature = "embedded")]
            (Weights::Adapter { xxh3, .. }, Learnt::Adapter { xxh3: learnt, .. }) => xxh3 == learnt,
            (Weights::Remote { model }, Learnt::Remote(learnt)) => model == learnt,
            _ => false,
        };
        if same {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

fn report(common: &Common, manifest: &ModelManifest, state: ModelState, why: &str) -> anyhow::Result<ExitCode> {
    let model = manifest.model;
    if common.json {
        output::json(&json!({ "model": model, "state": state, "why": why, "manifest": manifest }))?;
    } else if state == ModelState::Held {
        output::note(format_args!(
            "`segue models show {model}` tells more, `segue models approve {model} --why ...` lets it be asked"
        ));
        output::line(format_args!("held {model}: {why}"))?;
    } else {
        output::line(format_args!("{state} {model}"))?;
    }
    Ok(if state == ModelState::Held { ExitCode::from(HELD) } else { ExitCode::SUCCESS })
}
