//! `segue finetune run`: samples in, a judged model in the registry out.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::Utc;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::{Common, output, runtime, who};
use crate::config::Config;
use crate::evaluation::{self, Report, Verdict};
use crate::finetune::{Examination, Samples, Training, measure, train};
use crate::inference::Vocabulary;
use crate::inference::embedded::tune::Progress;
use crate::inference::embedded::{self, Embedded};
use crate::interactions::{Log, load_taxonomy};
use crate::store::models::{ModelManifest, ModelState, NewModel, NewWeights, Weights};
use crate::store::{Finding, Judgement, Store};
use crate::taxonomy::Taxonomy;

/// Exit code when a gate held the model.
const HELD: u8 = 3;

/// Arguments of `segue finetune run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The samples' directory, as `segue finetune curate` wrote it
    #[arg(long, value_name = "DIR", default_value = "samples")]
    samples: PathBuf,
    /// Where checkpoints and the adapter are written; a run that was ended goes on from there
    #[arg(long, value_name = "DIR", default_value = "tuned")]
    dir: PathBuf,
    /// Why, kept with the model
    #[arg(long, default_value = "asked for on the command line")]
    why: String,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let store = Store::open(&config.store)?;
    let taxonomy = load_taxonomy(&config.clusters)?;
    let samples = Samples::read(&args.samples, &config.finetune, &taxonomy)?;
    let (model, settings) = (&config.inference.embedded, &config.finetune.embedded);
    let mut shown = Shown::new();
    let training = train(&samples, model, settings, &args.dir, |progress| {
        shown.show(progress);
        ControlFlow::Continue(())
    })?;
    shown.bar.finish_and_clear();
    let (adapter, bytes) = (args.dir.join("adapter.gguf"), std::fs::read(args.dir.join("adapter.gguf"))?);
    if let Some(known) = known(&store, &training)? {
        output::note(format_args!("this adapter is {} already: it is judged no second time", known.model));
        let state = store.model_state(known.model)?;
        return report(common, &known, state, "");
    }
    output::note("asking the tuned model what held-out users take up next");
    let tuned = embedded::Config { adapter: Some(adapter), ..model.clone() };
    let figures = judge(&config, tuned, &samples, &taxonomy)?;
    let verdict = evaluation::judge(&figures, &config.evaluation);
    let judgement = judgement(&figures, &verdict);
    let (state, why) = (judgement.state, judgement.why.clone());
    let manifest = store.add_model(&NewModel {
        weights: NewWeights::Adapter(&training.base, &bytes),
        // Through text: losses read as they do in the file, and not widened.
        training: serde_json::from_str(&serde_json::to_string(&training)?)?,
        judgement: Some(judgement),
        creator: who(),
        reason: args.why,
    })?;
    report(common, &manifest, state, &why)
}

/// The model in the registry that has this adapter.
fn known(store: &Store, training: &Training) -> anyhow::Result<Option<ModelManifest>> {
    for model in store.models()? {
        let manifest = store.model(model)?;
        if matches!(&manifest.weights, Weights::Adapter { xxh3, .. } if *xxh3 == training.adapter) {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

fn judge(config: &Config, tuned: embedded::Config, samples: &Samples, taxonomy: &Taxonomy) -> anyhow::Result<Report> {
    let names = Vocabulary::new(taxonomy)?.names().to_vec();
    let model = Embedded::load(&tuned, names)?;
    let by = Examination {
        manifest: &samples.manifest,
        retrieval: &config.retrieval,
        prompt: &config.inference.prompt,
        max_tokens: config.inference.decoding.max_tokens,
    };
    runtime()?.block_on(async {
        let log = Log::open(&config.interactions, taxonomy).await?;
        anyhow::Ok(measure(&by, &model, &log, taxonomy).await?)
    })
}

fn judgement(report: &Report, verdict: &Verdict) -> Judgement<ModelState> {
    let state = if verdict.holds() { ModelState::Held } else { ModelState::Approved };
    let said = verdict.reasons();
    let why = if said.is_empty() { "no gate objects".into() } else { said };
    let finding = |finding: &evaluation::Finding| Finding {
        gate: finding.gate.clone(),
        outcome: finding.outcome.to_string(),
        says: finding.says.clone(),
    };
    let findings = verdict.findings.iter().map(finding).collect();
    let report = serde_json::to_value(report).unwrap_or_default();
    Judgement { seq: 1, state, who: "gates".into(), at: Utc::now(), why, findings, report }
}

fn report(common: &Common, manifest: &ModelManifest, state: ModelState, why: &str) -> anyhow::Result<ExitCode> {
    let model = manifest.model;
    if common.json {
        output::json(&json!({ "model": model, "state": state, "manifest": manifest }))?;
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

/// Between two lines.
const A_WHILE: Duration = Duration::from_secs(10);

/// A bar on a terminal, one line a while otherwise.
struct Shown {
    bar: ProgressBar,
    last: Option<Instant>,
    /// The first step told: those before it were made by another process.
    first: usize,
}

impl Shown {
    fn new() -> Self {
        let style = ProgressStyle::with_template("   train {bar:24} {pos}/{len}  {msg}  {elapsed}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, last: None, first: 0 }
    }

    fn show(&mut self, progress: &Progress) {
        let Progress { step, steps, loss, validation, tokens, elapsed, .. } = *progress;
        if self.last.is_none() && self.first == 0 {
            self.first = step;
        }
        let seconds = elapsed.as_secs_f64().max(1e-3);
        let made = (step + 1 - self.first) as f64;
        let left = Duration::from_secs((seconds / made * (steps - step) as f64) as u64);
        let rate = tokens as f64 / seconds;
        let left = humantime::format_duration(left);
        let message = format!("loss {loss:.3}, {rate:.0} tokens/s, {left} left");
        let looked = validation.map(|loss| format!("step {step}/{steps}: validation loss {loss:.3}"));
        if std::io::stderr().is_terminal() {
            self.bar.set_length(steps as u64);
            self.bar.set_position(step as u64);
            self.bar.set_message(message);
            looked.into_iter().for_each(|looked| self.bar.println(looked));
        } else if let Some(looked) = looked {
            output::note(format_args!("{looked}; {message}"));
        } else if self.last.is_none_or(|at| at.elapsed() >= A_WHILE) {
            self.last = Some(Instant::now());
            output::note(format_args!("step {step}/{steps}: {message}"));
        }
    }
}
