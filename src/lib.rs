//! Segue serves LLM recommendations in microseconds.
//!
//! *Interactions are counted, successors retrieved, an LLM asked, its answers judged, a table published; serving looks
//! up the current one.* Each module is one step of that sentence.
//!
//! Most callers want the binary and one of its two doors, gRPC or HTTP:
//!
//! ```no_run
//! use segue::proto::LookupRequest;
//! use segue::proto::lookup_service_client::LookupServiceClient;
//!
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! let mut service = LookupServiceClient::connect("http://127.0.0.1:7071").await?;
//! let question = LookupRequest { history: vec![3, 0], limit: 5, ..Default::default() };
//! let answer = service.lookup(question).await?.into_inner();
//! for prediction in &answer.predictions {
//!     println!("{} at level {}", prediction.cluster, prediction.level);
//! }
//! # Ok(()) }
//! ```
//!
//! Those who want the table in their own process open it over any bytes ([`Table`]) and ask [`lookup::lookup`].

pub mod app;
pub mod cli;
pub mod config;
pub mod ids;
#[cfg(feature = "refresher")]
pub mod interactions;
pub mod lookup;
#[cfg(feature = "refresher")]
pub mod refresh;
#[cfg(feature = "refresher")]
pub mod retrieval;
pub mod serve;
#[cfg(feature = "refresher")]
pub mod simulate;
pub mod store;
pub mod table;
pub mod taxonomy;
pub mod telemetry;

pub use serve::proto;
pub use table::Table;
