//! `segue experiment analyze`: what an experiment's arms come to.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::{declared, picture, told};
use crate::cli::picture::{Target, refuse_unwritable};
use crate::cli::refresh::Shown;
use crate::cli::{Common, output, runtime};
use crate::config::nearest;
use crate::experiment::{Config, Question, Step, measure};
use crate::interactions::Window;
use crate::refresh::Progress;

/// The exit code of an experiment that must not be read.
const MISMATCH: u8 = 3;

/// There is nothing to read, and nothing was written.
const NO_LOG: &str = "no exposure log is named: `serve` writes one where [exposures] path says, or pass --exposures";

/// Arguments of `segue experiment analyze`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The experiment, of the config or of a call, running or ended [default: the only one]
    name: Option<String>,
    /// The arm that others are compared with [default: `control`, else the first]
    #[arg(long)]
    control: Option<String>,
    /// Outcomes from here on: a date or RFC 3339, UTC [default: from the first exposure]
    #[arg(long)]
    from: Option<String>,
    /// End of the outcomes, exclusive; a last day that is not over yet is better left out
    #[arg(long)]
    to: Option<String>,
    /// The exposure log [default: exposures.path]
    #[arg(long, value_name = "PATH")]
    exposures: Option<String>,
    /// Write every figure, overall and by day, as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw each metric's differences by day, as FILE.svg or FILE.png; of several, each gets its metric's name as an
    /// ending
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Draw a PNG for dark pages (an SVG follows its reader)
    #[arg(long)]
    dark: bool,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let target = args.picture.as_deref().map(|path| Target::new(path, args.dark)).transpose()?;
    args.csv.iter().chain(&args.picture).try_for_each(|path| refuse_unwritable(path))?;
    let experiments = declared(&config)?.ever()?;
    let exposures = args.exposures.as_deref().or(config.exposures.path.as_deref());
    let question = Question {
        experiment: named(&experiments, args.name.as_deref())?,
        exposures: exposures.context(NO_LOG)?,
        outcomes: &config.outcomes,
        engine: &config.interactions,
        control: args.control.as_deref(),
        window: Window::parse(args.from.as_deref(), args.to.as_deref())?,
    };
    let mut shown = Shown::new();
    // Steps are few and long.
    shown.bar.enable_steady_tick(Duration::from_millis(200));
    let report = runtime()?.block_on(measure(&question, &mut |step| shown.show(&told_step(step))));
    shown.bar.finish_and_clear();
    let report = report?;
    if let Some(path) = &args.csv {
        told::write_csv(&report, path).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(target) = &target {
        picture::draw(&report, target)?;
    }
    told::left_out(&report);
    if common.json {
        output::json(&report)?;
    } else {
        told::print(&report)?;
    }
    if report.mismatch {
        output::note(told::mismatch(&report));
        return Ok(ExitCode::from(MISMATCH));
    }
    Ok(ExitCode::SUCCESS)
}

fn told_step(step: Step) -> Progress {
    let (done, message) = match step {
        Step::Exposures => (0, "reading exposures"),
        Step::Outcomes => (1, "reading outcomes"),
        Step::Join => (2, "joining them"),
    };
    Progress { step: "analyze", done, total: 3, message: message.into() }
}

fn named<'c>(experiments: &'c [Config], name: Option<&str>) -> anyhow::Result<&'c Config> {
    let names = || experiments.iter().map(|experiment| experiment.name.as_str());
    let known = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        return match experiments {
            [] => anyhow::bail!("neither the config nor the store has an experiment: declare the one that was run"),
            [only] => Ok(only),
            _ => anyhow::bail!("there are several experiments, name one of {}", known()),
        };
    };
    let found = experiments.iter().find(|experiment| experiment.name == name);
    found.with_context(|| match nearest(name, names()) {
        Some(near) => format!("there is no experiment `{name}`: did you mean `{near}`?"),
        None => format!("there is no experiment `{name}`: there are {}", known()),
    })
}
