//! The order of the steps, and when they run (Figure 2): input, retrieve, ask, count, judge, publish. By the adaptive
//! policy it is weighed before, once a day of log, whether they run at all (section 4). Beside them the model is tuned, by
//! a process of its own, on a schedule or when refreshes no longer help.
//!
//! It meets the server in the store alone. `serve` runs it as a child process (see [`agent`]); `segue refresh` runs one
//! cycle in the foreground.

pub mod agent;
mod config;
mod error;
mod lock;
mod pipeline;
mod schedule;
mod steps;
mod tuning;

pub use config::{Cadence, Config, Ends, Fixed, Policy};
pub use error::RefreshError;
pub use pipeline::{Cycle, Exchange, Outcome, Progress, Request, Settings};
pub use schedule::Schedule;
pub use steps::weigh::{Seen, Weighed};
pub use tuning::{Due, due};
