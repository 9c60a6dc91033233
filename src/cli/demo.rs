//! demo
use super::Common;
use std::process::ExitCode;
/// a
#[derive(Debug, clap::Args)]
pub(super) struct Args {}
pub(super) fn run(_: &Common, _: Args) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
