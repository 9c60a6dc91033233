//! `segue evaluate`: what versions of the table are worth, by a log or beside each other (sections 2.1 and 3.1).

pub(super) mod backtest;
mod cadence;
mod evidence;
mod hit_rate;
mod over;
mod overlap;
mod stability;
mod told;
mod versions;

use std::process::ExitCode;

use clap::Subcommand;

use super::Common;
use told::Outputs;
pub(super) use told::estimate;

/// Arguments of `segue evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replay the log: how often does what versions predict come true?
    HitRate {
        #[command(flatten)]
        args: hit_rate::Args,
        #[command(flatten)]
        outputs: Outputs,
    },
    /// How do a key's top successors change over time?
    Stability {
        #[command(flatten)]
        args: stability::Args,
        #[command(flatten)]
        outputs: Outputs,
    },
    /// How many keys do two versions of the store answer alike?
    Overlap {
        #[command(flatten)]
        args: overlap::Args,
        #[command(flatten)]
        outputs: Outputs,
    },
    /// Refresh policies on simulated logs that change in several ways: which cadence holds, and what does it cost?
    Cadence {
        #[command(flatten)]
        args: cadence::Args,
        #[command(flatten)]
        outputs: Outputs,
    },
    /// Write a page of all of it, with pictures, that says which of the paper's claims hold on this log
    Evidence(evidence::Args),
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    match args.command {
        Command::HitRate { args, outputs } => outputs.told(common, &config, || hit_rate::run(&config, &args)),
        Command::Stability { args, outputs } => outputs.told(common, &config, || stability::run(&config, &args)),
        Command::Overlap { args, outputs } => outputs.told(common, &config, || overlap::run(&config, &args)),
        Command::Cadence { args, outputs } => outputs.told(common, &config, || cadence::run(&config, &args)),
        Command::Evidence(args) => evidence::run(common, &config, &args),
    }
}
