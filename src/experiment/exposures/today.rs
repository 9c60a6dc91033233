//! The live sample-ratio check: today's units by arm, beside the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics::gauge;

use super::Exposure;
use super::arms::Deal;
use crate::experiment::analyze::sample_ratio;

const P_VALUE: &str = "segue_experiment_sample_ratio_p_value";

/// Units by arm of the newest day: one exposure each, or nearly.
pub(super) struct Today {
    day: i64,
    /// By the deal's key.
    counts: BTreeMap<u64, Vec<u64>>,
    /// Experiments with a figure.
    shown: BTreeSet<String>,
}

impl Default for Today {
    fn default() -> Self {
        Self { day: i64::MIN, counts: BTreeMap::new(), shown: BTreeSet::new() }
    }
}

impl Today {
    pub(super) fn count(&mut self, exposure: &Exposure) {
        let (day, arm) = (exposure.day(), &exposure.arm);
        if day > self.day {
            self.day = day;
            self.counts.clear();
        }
        if day == self.day {
            self.counts.entry(arm.deal.key).or_insert_with(|| vec![0; arm.deal.weights.len()])[arm.index] += 1;
        }
    }

    /// Shows the check of each deal that runs now, and forgets the others: what was dealt before does not count.
    pub(super) fn show(&mut self, running: &[Arc<Deal>]) {
        self.counts.retain(|key, _| running.iter().any(|deal| deal.key == *key));
        let names: BTreeSet<String> = running.iter().map(|deal| deal.experiment.clone()).collect();
        for ended in self.shown.difference(&names) {
            gauge!(P_VALUE, "experiment" => ended.clone()).set(f64::NAN);
        }
        self.shown = names;
        for deal in running {
            let none = || vec![0; deal.weights.len()];
            let units = self.counts.get(&deal.key).cloned().unwrap_or_else(none);
            let ratio = sample_ratio(&units, &deal.weights);
            gauge!(P_VALUE, "experiment" => deal.experiment.clone()).set(ratio.p_value);
        }
    }
}
