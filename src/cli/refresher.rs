//! `segue refresher`: the process that `serve` starts. It makes itself small before it does anything.

use std::io;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit};

use super::refresh::settings;
use super::{Common, before_computing, end_with_parent};
use crate::config::Config;
use crate::inference::Backend;
use crate::refresh::agent::Agent;
use crate::store::Store;

/// Arguments of `segue refresher`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run of the process before was cancelled
    #[arg(long)]
    cancelled: bool,
}

/// The lowest priority there is.
const NICEST: i32 = 19;
/// Out of memory, the system ends this process first.
const OOM_SCORE: &str = "1000";

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    if config.inference.backend == Backend::Embedded {
        before_computing(&config);
    }
    make_small(&config)?;
    let store = Store::open(&config.store)?;
    let tune = common.same(&["finetune", "run", "--attended", "--json"]);
    let agent = Agent::new(settings(&config), store, config.serve.channel.clone(), tune, io::stdout());
    let agent = agent.after_a_cancelled_run(args.cancelled);
    super::runtime()?.block_on(agent.run(tokio::io::BufReader::new(tokio::io::stdin())))?;
    Ok(ExitCode::SUCCESS)
}

fn make_small(config: &Config) -> io::Result<()> {
    end_with_parent()?;
    rustix::process::setpriority_process(None, NICEST)?;
    let limit = config.refresh.memory_limit.as_u64();
    let hard = rustix::process::getrlimit(Resource::Data).maximum;
    let limit = hard.map_or(limit, |hard| hard.min(limit));
    rustix::process::setrlimit(Resource::Data, Rlimit { current: Some(limit), maximum: hard })?;
    // Best effort: /proc may not be there.
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE) {
        tracing::debug!(%error, "the OOM score could not be raised");
    }
    Ok(())
}
