//! The server that this repository builds, as an operator starts it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::child::{Cores, Process};
use crate::Outcome;
use crate::world::EXPERIMENT;

const PROGRAM: &str = env!("CARGO_BIN_EXE_segue");

/// One thread answers, as in the servers that it is compared with.
const ONE_WORKER: &str = "serve.workers=1";

pub(super) struct Ours {
    pub(super) process: Process,
    pub(super) grpc: SocketAddr,
    pub(super) socket: PathBuf,
}

/// Starts it on the store in `dir`, with an experiment and an exposure log where it is to deal units.
pub(super) fn start(cores: Cores, dir: &Path, dealing: bool) -> Outcome<Ours> {
    let socket = dir.join(if dealing { "dealing.sock" } else { "grpc.sock" });
    let mut sets: Vec<String> = ["http", "grpc", "admin"].map(|port| format!("serve.{port}_addr=127.0.0.1:0")).into();
    sets.extend([
        format!("store.path={}", dir.display()),
        format!("serve.grpc_socket={}", socket.display()),
        ONE_WORKER.to_owned(),
    ]);
    if dealing {
        sets.extend([EXPERIMENT.to_owned(), format!("exposures.path={}", dir.join("exposures").display())]);
    }
    let mut args = vec!["serve", "--no-refresher", "--json"];
    args.extend(sets.iter().flat_map(|set| ["--set", set]));
    let mut process = Process::start(cores, dir, OsStr::new(PROGRAM), &args)?;
    let announced: Value = serde_json::from_str(&process.announced()?)?;
    let grpc = announced["grpc"].as_str().ok_or("no gRPC address is announced")?.parse()?;
    Ok(Ours { process, grpc, socket })
}
