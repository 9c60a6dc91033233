//! What the config says of a log: where it is, how its columns are called, what counts and how much memory it may take.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// The log and how it is read (`[interactions]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Parquet, CSV or JSON lines (the last two also .gz and .zst): a file, a glob, or a directory that is searched for
    /// such files. Components like `date=2026-01-01` become columns.
    pub path: String,
    /// CSV or Parquet of `item_id, cluster_id` (named as in `columns`), for a log that has no cluster column.
    pub items: Option<PathBuf>,
    /// What the log calls its columns.
    pub columns: ColumnNames,
    /// The unit of integer timestamps since 1970-01-01 UTC; without it they are refused.
    pub timestamp_unit: Option<TimestampUnit>,
    /// A SQL boolean expression over the log's columns that tells positive engagement; `None`: every row is positive.
    /// A column of a text format is a number, a boolean or a time if nine in ten of the values sampled are, or if it is
    /// compared with a number; the numbers of text are doubles.
    pub positive: Option<String>,
    /// Where a user's sequence ends and the next begins.
    pub sequence: Sequence,
    /// Transitions made by fewer distinct users are left out.
    pub min_users: u64,
    /// The share of bad rows (0 to 1) above which a run fails.
    pub max_bad_share: f64,
    /// The memory that counting may take before it spills to disk.
    pub memory: ByteSize,
    /// The directory it spills to; `None`: the system's directory for temporary files.
    pub spill_dir: Option<PathBuf>,
    /// Threads that count; `None`: one a core.
    pub threads: Option<NonZeroUsize>,
}

impl Config {
    /// The directory for what does not fit the memory.
    pub(crate) fn spill(&self) -> PathBuf {
        self.spill_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "logs/**/*.parquet".to_owned(),
            items: None,
            columns: ColumnNames::default(),
            timestamp_unit: None,
            positive: None,
            sequence: Sequence::User,
            min_users: 1,
            max_bad_share: 0.01,
            memory: ByteSize(2 << 30),
            spill_dir: None,
            threads: None,
        }
    }
}

/// What a log calls its columns (`[interactions] columns`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnNames {
    /// Who.
    pub user: String,
    /// With which item; read when there is no cluster column.
    pub item: String,
    /// Of which cluster.
    pub cluster: String,
    /// When.
    pub timestamp: String,
}

impl Default for ColumnNames {
    fn default() -> Self {
        let [user, item, cluster, timestamp] = ["user_id", "item_id", "cluster_id", "timestamp"].map(str::to_owned);
        Self { user, item, cluster, timestamp }
    }
}

/// The unit of integer timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimestampUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// Where a user's sequence ends and the next begins; borders are UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    /// One sequence a user.
    #[default]
    User,
    /// One sequence a user and day.
    UserDay,
    /// One sequence a user and month.
    UserMonth,
    /// A new sequence after a pause strictly longer than this between two consecutive positives of a user.
    Gap(#[serde(with = "humantime_serde")] Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_default_is_what_an_empty_config_gives_and_survives_a_round_trip() {
        let default = Config::default();
        assert_eq!(config("{}").unwrap(), default);
        assert_eq!(config(&serde_json::to_string(&default).unwrap()).unwrap(), default);
    }

    #[test]
    fn sequences_are_written_as_the_design_names_them() {
        let gap = Sequence::Gap(Duration::from_secs(1800));
        for (text, sequence) in [
            (r#""user""#, Sequence::User),
            (r#""user_day""#, Sequence::UserDay),
            (r#""user_month""#, Sequence::UserMonth),
            (r#"{"gap":"30m"}"#, gap),
        ] {
            assert_eq!(config(&format!(r#"{{"sequence": {text}}}"#)).unwrap().sequence, sequence);
            assert_eq!(serde_json::to_string(&sequence).unwrap(), text);
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(config(r#"{"positives": "rating >= 7"}"#).is_err());
        assert!(config(r#"{"columns": {"usr": "u"}}"#).is_err());
    }
}
