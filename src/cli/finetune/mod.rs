//! `segue finetune`: from the log to samples, and from samples to a tuned model.

#[cfg(feature = "embedded")]
mod adapter;
mod curate;
mod judge;
mod order;
mod run;
mod shown;
mod status;

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
    /// Tune a model with samples, drawn first where there are none, here or by an endpoint's job ([finetune] backend),
    /// judge it, and add it to the registry (exit 0 approved, 3 held by a gate, 130 interrupted: a job goes on)
    Run(run::Args),
    /// Show where a run stands: steps, loss, remaining time, or the endpoint's job with its last events
    Status(status::Args),
    /// End an endpoint's job
    Cancel(status::Args),
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Curate(args) => curate::run(common, args),
        Command::Run(args) => run::run(common, args),
        Command::Status(args) => status::run(common, args),
        Command::Cancel(args) => status::cancel(common, args),
    }
}
