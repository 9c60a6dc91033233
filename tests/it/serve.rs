//! The network face, over loopback sockets, with real clients and a real store.

mod access;
mod admin;
mod declared;
mod drain;
mod errors;
mod experiments;
mod grpc;
pub(crate) mod harness;
mod http;
mod limits;
mod refreshes;
mod swaps;
