//! `segue finetune`: from the log to samples, and from samples to a tuned model.

mod curate;
#[cfg(feature = "embedded")]
mod run;

use std::process::ExitCode;

use clap::Subcommand;

use super::Common;

/// Arguments of `segue finetune`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw samples from the log: chat JSON lines for training, validation and test
    Curate(curate::Args),
    /// Tune the embedded model with samples, judge it, and add it to the registry (exit 0 approved, 3 held by a gate)
    #[cfg(feature = "embedded")]
    Run(run::Args),
    /// Tune the embedded model with samples (in a build with `--features embedded`)
    #[cfg(not(feature = "embedded"))]
    Run,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Curate(args) => curate::run(common, args),
        #[cfg(feature = "embedded")]
        Command::Run(args) => run::run(common, args),
        #[cfg(not(feature = "embedded"))]
        Command::Run => anyhow::bail!(
            "this build trains no model: build it with `--features embedded`, or hand the samples to another trainer"
        ),
    }
}
