//! The commands, one file each: arguments, then `run`. Data goes to stdout, all else to stderr.

#[cfg(feature = "refresher")]
mod count;
#[cfg(feature = "refresher")]
mod decisions;
#[cfg(feature = "refresher")]
mod demo;
#[cfg(feature = "refresher")]
mod evaluate;
mod experiment;
mod explain;
#[cfg(feature = "refresher")]
mod finetune;
mod lookup;
mod models;
mod output;
#[cfg(feature = "refresher")]
mod picture;
#[cfg(feature = "refresher")]
mod place;
#[cfg(feature = "refresher")]
mod progress;
#[cfg(feature = "refresher")]
mod refresh;
#[cfg(feature = "refresher")]
mod refresher;
mod serve;
#[cfg(feature = "refresher")]
mod simulate;
mod table;
#[cfg(feature = "refresher")]
mod tuned;
mod versions;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Sources};
use crate::telemetry;

/// LLM recommendations, served in microseconds from one immutable, hot-swapped table.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Common {
    /// The config file [default: segue.toml where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overrides one key of the config, for example --set serve.http_addr=127.0.0.1:8080
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Prints JSON instead of text for people
    #[arg(long, global = true)]
    json: bool,
}

impl Common {
    fn sources(&self) -> Sources {
        Sources { file: self.config.clone(), set: self.set.clone() }
    }

    /// The arguments that make this binary run a command under the same config.
    fn same(&self, command: &[&str]) -> Vec<OsString> {
        let file = self.config.iter().flat_map(|config| ["--config".into(), config.into()]);
        let set = self.set.iter().flat_map(|set| ["--set".into(), set.into()]);
        command.iter().map(OsString::from).chain(file).chain(set).collect()
    }

    /// Reads the config and starts logging.
    fn start(&self) -> anyhow::Result<Config> {
        let config = Config::load(&self.sources())?;
        telemetry::init(&config.telemetry)?;
        Ok(config)
    }
}

/// To be called before a language model computes in this process, while no file is open yet.
#[cfg(all(feature = "refresher", feature = "embedded"))]
fn before_computing(config: &Config) {
    if let Err(error) = config.inference.embedded.say_threads() {
        tracing::warn!(%error, "the process could not start anew with threads for the model, which computes more slowly");
    }
}

/// Nothing computes here.
#[cfg(all(feature = "refresher", not(feature = "embedded")))]
fn before_computing(_: &Config) {}

/// Ends this process with the one that started it, even when that is killed.
#[cfg(all(feature = "refresher", target_os = "linux"))]
fn end_with_parent() -> std::io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// No other system does: it goes on until it comes to its pipes, and finds them closed.
#[cfg(all(feature = "refresher", not(target_os = "linux")))]
fn end_with_parent() -> std::io::Result<()> {
    Ok(())
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer lookups over gRPC and HTTP, and keep the table fresh
    Serve(serve::Args),
    /// See it all work: a drifting log, a table, a server, refreshes and hot swaps
    #[cfg(feature = "refresher")]
    Demo(demo::Args),
    /// Run one refresh cycle: count, build, publish
    #[cfg(feature = "refresher")]
    Refresh(refresh::Args),
    /// Count transitions and print them as CSV
    #[cfg(feature = "refresher")]
    Count(count::Args),
    /// Measure versions: hit rates over time, stability, overlap, and what holds of the paper on your log
    #[cfg(feature = "refresher")]
    Evaluate(evaluate::Args),
    /// Draw the samples that a language model is fine-tuned with, and tune it
    #[cfg(feature = "refresher")]
    Finetune(finetune::Args),
    /// List, set and end live experiments; analyse them: differences between arms, with intervals
    Experiment(experiment::Args),
    /// Tell why a history is answered as it is: counts, what was retrieved, prompt, answer, row
    Explain(explain::Args),
    /// List, show, approve, reject, publish, roll back and remove versions
    Versions(versions::Args),
    /// List, show, approve, reject and roll back tuned language models
    Models(models::Args),
    /// Look into a table file, or prove it
    Table(table::Args),
    /// Ask a running server, or the store itself
    Lookup(lookup::Args),
    /// Write a drifting log with a known truth
    #[cfg(feature = "refresher")]
    Simulate(simulate::Args),
    /// The refresher that `serve` starts
    #[cfg(feature = "refresher")]
    #[command(hide = true)]
    Refresher(refresher::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("segue: {}", output::told(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(Args { common, command }: Args) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Demo(args) => demo::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Refresh(args) => refresh::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Count(args) => count::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Evaluate(args) => evaluate::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Finetune(args) => finetune::run(&common, args),
        Command::Experiment(args) => experiment::run(&common, args),
        Command::Versions(args) => versions::run(&common, args),
        Command::Models(args) => models::run(&common, args),
        Command::Table(args) => table::run(&common, args),
        Command::Explain(args) => explain::run(&common, args),
        Command::Lookup(args) => lookup::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Simulate(args) => simulate::run(&common, args),
        #[cfg(feature = "refresher")]
        Command::Refresher(args) => refresher::run(&common, args),
    }
}

/// Who runs a command, as far as the system tells.
fn who() -> String {
    std::env::var("USER").unwrap_or_else(|_| "command line".into())
}

/// For commands that wait on the network or the engine. Serving gets all cores; the rest rarely needs them.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
