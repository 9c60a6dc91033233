//! The server that this repository builds, as an operator starts it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::child::{Cores, Process};
use crate::Outcome;

const PROGRAM: &str = env!("CARGO_BIN_EXE_segue");

/// One thread answers, as in the servers that it is compared with.
const ONE_WORKER: &str = "serve.workers=1";

pub(super) struct Ours {
    pub(super) process: Process,
    pub(super) grpc: SocketAddr,
    pub(super) socket: Option<PathBuf>,
}

/// Starts it on the store in `dir`.
pub(super) fn start(cores: Cores, dir: &Path) -> Outcome<Ours> {
    let socket = dir.join("grpc.sock");
    let mut sets: Vec<String> = ["http", "grpc", "admin"].map(|port| format!("serve.{port}_addr=127.0.0.1:0")).into();
    sets.push(format!("store.path={}", dir.display()));
    sets.extend(known(dir, ONE_WORKER).then(|| ONE_WORKER.to_owned()));
    let socket_set = socket_set(&socket);
    let has_socket = known(dir, &socket_set);
    sets.extend(has_socket.then_some(socket_set));
    let mut args = vec!["serve", "--no-refresher", "--json"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let mut process = Process::start(cores, dir, OsStr::new(PROGRAM), &args)?;
    let announced: Value = serde_json::from_str(&process.announced()?)?;
    let grpc = announced["grpc"].as_str().ok_or("no gRPC address is announced")?.parse()?;
    Ok(Ours { process, grpc, socket: has_socket.then_some(socket) })
}

/// Whether it can listen on a Unix socket.
pub(super) fn has_socket(dir: &Path) -> bool {
    known(dir, &socket_set(&dir.join("grpc.sock")))
}

fn socket_set(path: &Path) -> String {
    format!("serve.grpc_socket={}", path.display())
}

/// Whether this build knows a setting.
fn known(dir: &Path, set: &str) -> bool {
    let store = format!("store.path={}", dir.join("none").display());
    let mut command = Command::new(PROGRAM);
    command.args(["versions", "list", "--set", &store, "--set", set]).current_dir(dir);
    let ran = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}
