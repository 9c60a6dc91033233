//! `segue experiment`: live experiments, from declaring them to what their arms come to.

#[cfg(feature = "refresher")]
mod analyze;
mod declare;
#[cfg(feature = "refresher")]
mod picture;
#[cfg(feature = "refresher")]
mod told;

use std::process::ExitCode;

use clap::Subcommand;

use super::Common;
use crate::config::Config;
use crate::experiment::{Declared, Experiments};
use crate::store::Store;

/// Arguments of `segue experiment`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The experiments that are not ended, of the config and of calls, and the latest changes
    List(declare::List),
    /// Let an experiment run, new or with other settings, on every server of the store within a second
    Set(declare::Set),
    /// End an experiment that was set so: its channel answers by itself again
    End(declare::End),
    /// Join exposures with outcomes: relative differences to control with 95 % intervals. Exits 3 where the arms do not
    /// hold the units that they should, and then reads nothing
    #[cfg(feature = "refresher")]
    Analyze(analyze::Args),
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(args) => declare::list(common, &args),
        Command::Set(args) => declare::set(common, args),
        Command::End(args) => declare::end(common, args),
        #[cfg(feature = "refresher")]
        Command::Analyze(args) => analyze::run(common, args),
    }
}

/// The config's experiments and the store's.
fn declared(config: &Config) -> anyhow::Result<Declared> {
    Ok(Declared::new(Experiments::new(&config.experiments)?, Store::open(&config.store)?))
}
