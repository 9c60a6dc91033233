//! A small adapter, learnt while the demo serves: by the commands that anyone would type, each a process of its own.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::tell;
use crate::cli::Common;

/// What lets refreshes ask the model as soon as one is approved, and until then go on without it. Few samples and few
/// keys, so that it takes minutes on two cores.
pub(super) const SETTINGS: [&str; 9] = [
    "inference.backend=\"embedded\"",
    "inference.model=\"registry\"",
    "inference.max_keys=300",
    "inference.decoding.constrained=true",
    "finetune.window=\"14d\"",
    "finetune.samples=600",
    "finetune.watched=100",
    "finetune.prompt=\"rag\"",
    "finetune.embedded.epochs=1",
];
/// The lowest priority there is: it must not be noticed by lookups.
const NICEST: i32 = 19;

/// Draws samples, learns from them, has the model judged, and tells all the while. Dropping it ends it.
pub(super) async fn tune(common: &Common, dir: &Path) {
    let (samples, tuned) = (dir.join("samples"), dir.join("tuned"));
    let curate = ["finetune".into(), "curate".into(), "--dir".into(), samples.clone().into_os_string()];
    let run = ["finetune".into(), "run".into(), "--samples".into(), samples.into_os_string()];
    let run = run.into_iter().chain(["--dir".into(), tuned.into_os_string(), "--why".into(), "the demo".into()]);
    let steps = async {
        step(common, curate.into()).await?;
        step(common, run.collect()).await
    };
    if let Err(error) = steps.await {
        tell(common, json!({ "finetune": "failed", "why": error.to_string() }), &format!("no model is tuned: {error}"));
    }
}

/// Runs one command under the demo's config, and passes on what it says.
async fn step(common: &Common, args: Vec<OsString>) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::current_exe().context("this program's own file cannot be found")?);
    command.args(args).args(common.config.iter().flat_map(|file| ["--config".into(), file.clone().into_os_string()]));
    command.args(common.set.iter().flat_map(|set| ["--set", set]));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().context("the program cannot be started again")?;
    if let Some(pid) = process.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // Its threads come later, and inherit it. Best effort: it may have ended.
        let _ = rustix::process::setpriority_process(Some(pid), NICEST);
    }
    let (out, err) = (process.stdout.take(), process.stderr.take());
    let (said, complaint) = tokio::join!(pass_on(common, out), pass_on(common, err));
    let status = process.wait().await?;
    // 3: a gate holds the model, which has been told.
    anyhow::ensure!(status.success() || status.code() == Some(3), complaint.or(said).unwrap_or(status.to_string()));
    Ok(())
}

/// Tells each line as it comes, and returns the last one.
async fn pass_on(common: &Common, pipe: Option<impl AsyncRead + Unpin>) -> Option<String> {
    let mut lines = BufReader::new(pipe?).lines();
    let mut last = None;
    while let Ok(Some(line)) = lines.next_line().await {
        tell(common, json!({ "finetune": line }), &format!("finetune: {line}"));
        last = Some(line);
    }
    last
}
