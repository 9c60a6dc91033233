//! The process that tunes a model: what it says, and what came of it.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ids::ModelId;
use crate::store::models::ModelState;

/// What its last line begins with where it failed.
const COMPLAINT: &str = "segue: ";

/// A running one; it ends when this is dropped.
pub(super) struct Process {
    said: watch::Receiver<String>,
    ended: JoinHandle<Result<Judged, String>>,
}

/// What came of it, as it prints it.
#[derive(Deserialize)]
pub(super) struct Judged {
    pub(super) model: ModelId,
    pub(super) state: ModelState,
    pub(super) why: String,
}

impl Process {
    /// `args` make this binary tune; what is in `dir` it goes on from.
    pub(super) fn start(args: &[OsString], dir: &Path, why: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).arg("--samples").arg(dir.join("samples")).arg("--dir").arg(dir.join("tuned"));
        command.args(["--why", why]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.kill_on_drop(true).spawn()?;
        let (saying, said) = watch::channel(why.to_owned());
        Ok(Self { said, ended: tokio::spawn(attend(process, saying)) })
    }

    /// Its last line.
    pub(super) fn said(&self) -> String {
        self.said.borrow().clone()
    }

    /// Waits for its next line, `None`, or its end: what came of it, or why nothing did. Can be dropped at any moment.
    pub(super) async fn heard(&mut self) -> Option<Result<Judged, String>> {
        tokio::select! {
            Ok(()) = self.said.changed() => None,
            ended = &mut self.ended => Some(ended.unwrap_or_else(|error| Err(error.to_string()))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

async fn attend(mut process: Child, saying: watch::Sender<String>) -> Result<Judged, String> {
    let (printed, said) = (process.stdout.take(), process.stderr.take());
    let (printed, ()) = tokio::join!(all(printed), pass_on(said, &saying));
    let status = process.wait().await.map_err(|error| error.to_string())?;
    serde_json::from_str(&printed).map_err(|_| complaint(&saying.borrow(), status))
}

async fn all(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut text = String::new();
    if let Some(mut pipe) = pipe {
        // What is cut short is no JSON.
        let _ = pipe.read_to_string(&mut text).await;
    }
    text
}

async fn pass_on(pipe: Option<impl AsyncRead + Unpin>, saying: &watch::Sender<String>) {
    let Some(pipe) = pipe else { return };
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.starts_with(COMPLAINT) {
            tracing::info!("tuning: {line}");
        }
        saying.send_replace(line);
    }
}

fn complaint(last: &str, status: ExitStatus) -> String {
    last.strip_prefix(COMPLAINT).map_or_else(|| format!("the tuner ended ({status})"), str::to_owned)
}
