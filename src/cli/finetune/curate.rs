//! `segue finetune curate`: what a language model is tuned with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::{Common, output, runtime};
use crate::config::Config;
use crate::finetune::{Manifest, Settings, curate};
use crate::inference::Vocabulary;
use crate::interactions::{Log, Window, load_taxonomy};
use crate::taxonomy::Taxonomy;

/// Labels that the picture shows each for itself.
const SHOWN: usize = 20;
/// The longest bar, in characters.
const BAR: f64 = 40.0;

/// Arguments of `segue finetune curate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory to write; it must not exist yet
    #[arg(long, value_name = "DIR", default_value = "samples")]
    dir: PathBuf,
    /// Start of the window: a date or RFC 3339, UTC [default: finetune.window before the end]
    #[arg(long)]
    from: Option<String>,
    /// End of the window, exclusive [default: behind the newest event]
    #[arg(long)]
    to: Option<String>,
    /// Draw how often each answer is given
    #[arg(long)]
    stats: bool,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let window = Window::parse(args.from.as_deref(), args.to.as_deref())?;
    let taxonomy = load_taxonomy(&config.clusters)?;
    let manifest = draw(&config, &taxonomy, window, &args.dir)?;
    if common.json {
        output::json(&manifest)?;
    } else {
        for (name, split) in &manifest.splits {
            let (samples, labels) = (split.samples, split.labels.len());
            output::line(format_args!("{}: {samples} samples, {labels} answers", args.dir.join(name).display()))?;
        }
        if args.stats {
            picture(&manifest, &Vocabulary::new(&taxonomy)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Draws samples of a window and writes them to `dir`, which appears when they are whole.
pub(super) fn draw(config: &Config, taxonomy: &Taxonomy, window: Window, dir: &Path) -> anyhow::Result<Manifest> {
    let settings = Settings {
        k: config.table.k,
        held_out: &config.evaluation.held_out,
        retrieval: &config.retrieval,
        prompt: &config.inference.prompt,
        window,
    };
    runtime()?.block_on(async {
        let log = Log::open(&config.interactions, taxonomy).await?;
        Ok(curate(&config.finetune, &settings, &log, taxonomy, dir).await?)
    })
}

/// How often each answer is to be learnt, beside how often the log has it.
fn picture(manifest: &Manifest, vocabulary: &Vocabulary) -> anyhow::Result<()> {
    let Some(train) = manifest.splits.get("train") else { return Ok(()) };
    let mut labels: Vec<_> = train.labels.iter().map(|(&cluster, &drawn)| (cluster, drawn)).collect();
    labels.sort_by_key(|&(cluster, drawn)| (std::cmp::Reverse(drawn), cluster));
    let share = |count: u64, all: f64| 100.0 * count as f64 / all.max(1.0);
    let all = train.samples as f64;
    let seen_all = train.seen.values().sum::<u64>() as f64;
    let most = labels.first().map_or(1, |&(_, drawn)| drawn) as f64;
    let row = |name: String, drawn: u64, seen: u64, bar: bool| {
        let bar = if bar { "█".repeat((BAR * drawn as f64 / most).ceil() as usize) } else { String::new() };
        let percent = |share: f64| format!("{share:.1} %");
        vec![name, drawn.to_string(), percent(share(drawn, all)), percent(share(seen, seen_all)), bar]
    };
    let seen = |cluster| train.seen.get(&cluster).copied().unwrap_or(0);
    let mut rows = vec![["answer", "samples", "drawn", "in the log", ""].map(str::to_owned).to_vec()];
    let (shown, rest) = labels.split_at(labels.len().min(SHOWN));
    let name = |cluster| vocabulary.name(cluster).chars().take(40).collect::<String>();
    rows.extend(shown.iter().map(|&(cluster, drawn)| row(name(cluster), drawn, seen(cluster), true)));
    if !rest.is_empty() {
        let (drawn, seen) = rest.iter().fold((0, 0), |(a, b), &(cluster, drawn)| (a + drawn, b + seen(cluster)));
        rows.push(row(format!("({} others)", rest.len()), drawn, seen, false));
    }
    Ok(output::columns(&rows)?)
}
