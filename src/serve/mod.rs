//! The network face (section 2.1: "the corresponding predicted next cluster is retrieved via table lookup"): gRPC,
//! HTTP, operations, health, metrics.
//!
//! Three ports, all on loopback until the config says otherwise: lookups over gRPC, lookups over HTTP (health and
//! metrics too), and operations over both. A call loads the live tables once and is answered wholly from that state.
//!
//! [`bind`] takes the ports, [`run`] serves until it is told to stop and then drains, and keeps up with the store's
//! experiments meanwhile. Signals, the watching of channels and the refresher's process are the caller's.

mod admin;
mod auth;
mod config;
mod deadline;
mod error;
mod experiments;
mod face;
mod greeting;
mod grpc;
mod health;
mod http;
mod json;
mod layers;
mod listen;
mod lookups;
mod metrics;
mod observe;
mod openapi;
mod port;
mod refresh;
mod server;
mod workers;

pub use config::Config;
pub use error::StartError;
pub use experiments::LiveExperiments;
pub use listen::{Listeners, bind};
pub use metrics::Metrics;
pub use refresh::{RefreshAction, RefreshCommand, RefreshControl, RefreshRefusal};
pub use server::{Backend, Drained, run};
