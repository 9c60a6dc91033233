//! What to measure, and for how long.

use std::time::Duration;

use super::Outcome;

pub(super) struct Args {
    /// Pairs of windows a row.
    pub(super) pairs: usize,
    /// What is measured of a window, after its warm-up.
    pub(super) window: Duration,
    pub(super) warm_up: Duration,
    /// Clusters of the table that single lookups go to, and of the one that batches go to. Each has a row for every
    /// ordered pair.
    pub(super) clusters: [u32; 2],
    /// Predictions asked for in a lookup.
    pub(super) limit: u32,
    /// Tell of every pair of windows.
    pub(super) each: bool,
    /// Only print the rows' names.
    pub(super) list: bool,
    filters: Vec<String>,
}

impl Args {
    pub(super) fn new(words: Vec<String>) -> Outcome<Self> {
        let has = |word: &str| words.iter().any(|found| found == word);
        let mut args = match (has("--bench") && !has("--test"), has("--quick")) {
            (false, _) => Self::preset(1, [40, 20], [40, 60]),
            (true, true) => Self::preset(3, [700, 200], [761, 1000]),
            // 3,163 * 3,162 pairs: 10,001,406 rows in 0.8 GB.
            (true, false) => Self::preset(9, [2000, 300], [761, 3163]),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--pairs" => args.pairs = value()?.parse()?,
                "--window" => args.window = humantime::parse_duration(&value()?)?,
                "--limit" => args.limit = value()?.parse()?,
                "--each" => args.each = true,
                "--list" => args.list = true,
                // Cargo's own, and what other benches are told.
                flag if flag.starts_with('-') => {}
                _ => args.filters.push(word),
            }
        }
        Ok(args)
    }

    fn preset(pairs: usize, [window, warm_up]: [u64; 2], clusters: [u32; 2]) -> Self {
        let [window, warm_up] = [window, warm_up].map(Duration::from_millis);
        Self { pairs, window, warm_up, clusters, limit: 1, each: false, list: false, filters: Vec::new() }
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}
