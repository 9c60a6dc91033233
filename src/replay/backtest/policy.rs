//! When a table is counted anew.

use std::fmt;
use std::str::FromStr;

/// What decides when a refresh runs. Every policy publishes a first table at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// So many days after the last one.
    Fixed(u32),
    /// When it pays, as [`decide`](crate::evaluation::decide) says, asked once a day.
    Adaptive,
    /// Never by itself.
    OnDemand,
}

/// What is no policy.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no policy: write fixed:DAYSd (fixed:1d to fixed:3660d), adaptive or on_demand")]
pub struct ParsePolicyError(String);

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = |text: &str| text.strip_prefix("fixed:")?.strip_suffix('d')?.parse().ok();
        match text {
            "adaptive" => Ok(Self::Adaptive),
            "on_demand" => Ok(Self::OnDemand),
            text => days(text)
                .filter(|days| (1..=3660).contains(days))
                .map(Self::Fixed)
                .ok_or_else(|| ParsePolicyError(text.to_owned())),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(days) => write!(f, "fixed:{days}d"),
            Self::Adaptive => f.write_str("adaptive"),
            Self::OnDemand => f.write_str("on_demand"),
        }
    }
}
