//! Segue serves LLM recommendations in microseconds.
//!
//! *Interactions are counted, successors retrieved, an LLM asked, its answers judged, a table published; serving looks
//! up the current one.* Each module is one step of that sentence.
//!
//! Most callers want the binary, and one of its two doors: HTTP, or gRPC, for which there is a [`client`]:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/served.rs"));
//! use segue::client::{Client, Config};
//! use segue::proto::LookupRequest;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let address = serve(store(dir.path())?).await?;
//! let config = Config { target: "http://127.0.0.1:7071".into(), ..Config::default() };
//! # let config = Config { target: format!("http://{address}"), ..config };
//! let client = Client::new(&config)?;
//! let question = LookupRequest { history: vec![3, 0], limit: 5, ..Default::default() };
//! for prediction in client.lookup(question).await?.predictions {
//!     println!("{} at level {}", prediction.cluster, prediction.level);
//! }
//! # Ok(()) }
//! ```
//!
//! Those who want the answers in their own process open a channel ([`store::Store::snapshot`]), follow it through its
//! swaps ([`store::live`]), or open a [`Table`] over any bytes and ask [`lookup::lookup`].

pub mod app;
#[cfg(feature = "refresher")]
pub mod chart;
pub mod cli;
pub mod client;
pub mod config;
#[cfg(feature = "refresher")]
pub mod evaluation;
pub mod experiment;
mod files;
#[cfg(feature = "refresher")]
pub mod finetune;
pub mod ids;
#[cfg(any(feature = "refresher", feature = "embedded"))]
pub mod inference;
#[cfg(feature = "refresher")]
pub mod interactions;
pub mod lookup;
pub mod proto;
#[cfg(feature = "refresher")]
pub mod refresh;
#[cfg(feature = "refresher")]
pub mod replay;
#[cfg(feature = "refresher")]
pub mod retrieval;
pub mod serve;
#[cfg(feature = "refresher")]
pub mod simulate;
pub mod store;
pub mod table;
pub mod taxonomy;
pub mod telemetry;

pub use table::Table;
