//! The network face, over loopback sockets, with real clients and a real store.

#![allow(clippy::unwrap_used, reason = "helpers assert by it as tests do")]

mod admin;
mod drain;
mod errors;
mod grpc;
mod harness;
mod http;
mod limits;
mod swaps;
