//! `[retrieval]`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What fresh behaviour a prompt shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which successors stand out (section 2.3.2).
    pub similarity: Similarity,
    /// Whose successors are shown (section 2.3.1).
    pub granularity: Granularity,
    /// Successors shown of each key; 0 shows none.
    pub top: usize,
    /// The window that they are counted in; it ends where the table's window does. A trend is against the window of
    /// equal length just before. Short, or a refresh cannot follow what users do.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        Self { similarity: Similarity::Frequency, granularity: Granularity::Instance, top: 1, window: week }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let similarity = match self.similarity {
            Similarity::Frequency => "frequency",
            Similarity::Trend => "trend",
        };
        let granularity = match self.granularity {
            Granularity::Instance => "instance",
            Granularity::Global => "global",
        };
        let window = humantime::format_duration(self.window);
        write!(f, "top {} by {similarity}, {granularity}, of {window}", self.top)
    }
}

/// Which successors stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// The most frequent ones.
    Frequency,
    /// Those whose count changed most, up or down, against the window before.
    Trend,
}

/// Whose successors are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// To each key its own.
    Instance,
    /// To all keys the same: the top transitions overall.
    Global,
}
