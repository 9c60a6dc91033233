//! `segue serve`.

use std::io;
use std::process::ExitCode;

use serde_json::json;

use super::{Common, output};
use crate::app::{App, asked_to_stop};
use crate::serve::Listeners;

/// Arguments of `segue serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only serve: tables come from elsewhere
    #[arg(long)]
    no_refresher: bool,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let refresher = (cfg!(feature = "refresher") && !args.no_refresher).then(|| common.same(&["refresher"]));
    #[cfg(feature = "refresher")]
    if refresher.is_some() {
        config.refresh.check_memory(config.interactions.memory, config.table.memory)?;
    }
    super::runtime()?.block_on(async {
        let stop = asked_to_stop()?;
        let app = App::start(&config, refresher).await?;
        announce(common, app.listeners())?;
        let drained = app.run(stop).await?;
        match drained.cut {
            0 => tracing::info!("drained"),
            cut => tracing::warn!(cut, "drained; connections were cut at the end of serve.drain"),
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Says where it answers; with `--json` on stdout, so that whoever started it on port 0 can read it.
fn announce(common: &Common, listeners: &Listeners) -> io::Result<()> {
    let (http, grpc, admin) = (listeners.http_addr(), listeners.grpc_addr(), listeners.admin_addr());
    if common.json {
        output::line(json!({ "http": http, "grpc": grpc, "admin": admin }))?;
    }
    tracing::info!(%http, %grpc, %admin, "serving");
    Ok(())
}
