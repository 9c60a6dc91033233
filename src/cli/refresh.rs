//! `segue refresh`: one cycle in the foreground; `segue refresh backtest`: what policies of when it runs would have come to.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::ProgressBar;
use serde_json::json;

use super::evaluate::backtest;
use super::progress::{self, Seldom};
use super::{Common, before_computing, decisions, output, who};
use crate::config::Config;
use crate::inference::Backend;
use crate::interactions::Window;
use crate::refresh::{Cycle, Exchange, Outcome, Progress, Request, Settings};
use crate::store::{Note, Store, TaxonomyChange};

/// Exit code when a gate held the new version.
const HELD: u8 = 3;
/// Exit code when the live version already holds the log.
const NOTHING_TO_DO: u8 = 4;

/// Arguments of `segue refresh`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Start of the window: a date or RFC 3339, UTC [default: refresh.window before its end]
    #[arg(long)]
    from: Option<String>,
    /// End of the window, exclusive [default: the log's newest event]
    #[arg(long)]
    to: Option<String>,
    /// Transitions counted elsewhere (CSV: c1,...,ck,next,count) instead of the log; once for each key length
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    counts: Vec<PathBuf>,
    /// Write what the language model is to be asked to FILE, as batch requests, and publish nothing
    #[arg(long, value_name = "FILE", conflicts_with = "import_batch")]
    export_batch: Option<PathBuf>,
    /// Read the answers to such requests from FILE, and ask nothing else
    #[arg(long, value_name = "FILE")]
    import_batch: Option<PathBuf>,
    /// The channel to publish on [default: serve.channel]
    #[arg(long)]
    channel: Option<String>,
    /// Why, kept with the version. Without a text: refresh nothing, and tell what the adaptive policy has decided
    #[arg(long, value_name = "TEXT")]
    why: Option<Option<String>>,
    /// Publish even where the cluster set differs from the live one
    #[arg(long)]
    allow_taxonomy_change: bool,
}

impl Args {
    /// Whether a language model of this process may be asked.
    fn asks(&self) -> bool {
        self.why != Some(None) && self.export_batch.is_none() && self.import_batch.is_none()
    }
}

#[derive(Debug, clap::Subcommand)]
enum Instead {
    /// Replay the log under several refresh policies: what does each reach, and what does it cost?
    Backtest(backtest::Args),
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    if let Some(Instead::Backtest(args)) = &args.instead {
        return backtest::run(common, args);
    }
    let config = common.start()?;
    if config.inference.backend == Backend::Embedded && args.asks() {
        before_computing(&config);
    }
    let store = Store::open(&config.store)?;
    let channel = args.channel.unwrap_or_else(|| config.serve.channel.clone());
    let why = match args.why {
        Some(None) => return decisions::tell(common, &settings(&config), &store, &channel),
        Some(Some(why)) => why,
        None => "asked for on the command line".into(),
    };
    let taxonomy = if args.allow_taxonomy_change { TaxonomyChange::Allowed } else { TaxonomyChange::Refused };
    let request = Request {
        channel,
        window: Window::parse(args.from.as_deref(), args.to.as_deref())?,
        counts: args.counts,
        exchange: match (args.export_batch, args.import_batch) {
            (Some(path), _) => Exchange::Export(path),
            (None, Some(path)) => Exchange::Import(path),
            (None, None) => Exchange::None,
        },
        note: Note { who: who(), why },
        taxonomy,
    };
    let settings = settings(&config);
    let cycle = Cycle { settings: &settings, store: &store, request: &request };
    let mut shown = Shown::new();
    let outcome = super::runtime()?.block_on(cycle.run(&mut |progress| shown.show(&progress)))?;
    shown.bar.finish_and_clear();
    report(common, &store, outcome)
}

/// The sections of the config that decide a table.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        clusters: config.clusters.clone(),
        interactions: config.interactions.clone(),
        table: config.table.clone(),
        retrieval: config.retrieval.clone(),
        inference: config.inference.clone(),
        refresh: config.refresh.clone(),
        evaluation: config.evaluation.clone(),
    }
}

fn report(common: &Common, store: &Store, outcome: Outcome) -> anyhow::Result<ExitCode> {
    if common.json {
        output::json(&told(store, outcome)?)?;
    } else {
        say(store, outcome)?;
    }
    Ok(match outcome {
        Outcome::Published(_) | Outcome::Exported(_) => ExitCode::SUCCESS,
        Outcome::Held(_) => ExitCode::from(HELD),
        Outcome::NothingToDo(_) => ExitCode::from(NOTHING_TO_DO),
    })
}

fn told(store: &Store, outcome: Outcome) -> anyhow::Result<serde_json::Value> {
    let (outcome, version) = match outcome {
        Outcome::Published(version) => ("published", version),
        Outcome::Held(version) => ("held", version),
        Outcome::NothingToDo(version) => ("nothing_to_do", version),
        Outcome::Exported(questions) => return Ok(json!({ "outcome": "exported", "questions": questions })),
    };
    let (manifest, judgement) = (store.manifest(version)?, store.judgements(version)?.pop());
    Ok(json!({ "outcome": outcome, "version": version, "manifest": manifest, "judgement": judgement }))
}

fn say(store: &Store, outcome: Outcome) -> anyhow::Result<()> {
    match outcome {
        Outcome::Published(version) => {
            let manifest = store.manifest(version)?;
            let keys: u64 = manifest.keys.iter().sum();
            output::line(format_args!("published {version}: {keys} keys, {} bytes", manifest.table_bytes))?;
            if let Some(changed) = manifest.changed {
                output::note(format_args!("this refresh changed {changed}"));
            }
        }
        Outcome::Held(version) => {
            let why = store.judgements(version)?.pop().map_or(String::new(), |judgement| judgement.why);
            output::note(format_args!(
                "the live version stays; `segue versions show {version}` tells more, `segue versions approve {version} \
                 --why ...` and `segue versions publish {version}` make it live, `segue versions reject {version} --why \
                 ...` does not"
            ));
            output::line(format_args!("held {version}: {why}"))?;
        }
        Outcome::NothingToDo(version) => {
            output::line(format_args!("nothing to do: {version} already holds this log"))?;
        }
        Outcome::Exported(questions) => output::line(format_args!("exported {questions} questions"))?,
    }
    Ok(())
}

/// A bar on a terminal, one line a part otherwise; of many parts, one line a while.
pub(super) struct Shown {
    pub(super) bar: ProgressBar,
    lines: Seldom,
}

impl Shown {
    pub(super) fn new() -> Self {
        let bar = progress::bar("{prefix:>8} {bar:24} {pos}/{len}  {msg}  {elapsed}");
        Self { bar, lines: Seldom::default() }
    }

    pub(super) fn show(&mut self, progress: &Progress) {
        let Progress { step, done, total, message } = progress;
        if std::io::stderr().is_terminal() {
            self.bar.set_prefix(*step);
            self.bar.set_length(*total);
            self.bar.set_position(*done);
            self.bar.set_message(message.clone());
            // What a model is going to take, and what it took, stays to be read.
            if matches!(*step, "ask" | "sweep") && (*done == 0 || done == total) {
                self.bar.println(message);
            }
        } else if self.lines.due(*total < 10 || *done == 0 || done == total) {
            output::note(format_args!("{step} {done}/{total}: {message}"));
        }
    }
}
