//! The live sample-ratio check: today's units by arm, beside the weights.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics::gauge;

use super::Exposure;
use super::arms::Deal;
use crate::experiment::analyze::sample_ratio;

const P_VALUE: &str = "segue_experiment_sample_ratio_p_value";

/// Units by arm of the newest day, one exposure each. Those that the table of known ones has no room for are left out,
/// whatever their arm, so that no unit counts twice.
pub(super) struct Today {
    day: i64,
    /// By the deal's key.
    counts: BTreeMap<u64, Vec<u64>>,
    /// Whether units were left out.
    is_full: bool,
    /// Experiments with a figure.
    shown: BTreeSet<String>,
}

impl Default for Today {
    fn default() -> Self {
        Self { day: i64::MIN, counts: BTreeMap::new(), is_full: false, shown: BTreeSet::new() }
    }
}

impl Today {
    pub(super) fn count(&mut self, exposure: &Exposure) {
        let (day, arm) = (exposure.day(), &exposure.arm);
        if day > self.day {
            self.day = day;
            self.counts.clear();
            self.is_full = false;
        }
        if !exposure.is_new {
            self.tell_full();
        } else if day == self.day {
            self.counts.entry(arm.deal.key).or_insert_with(|| vec![0; arm.deal.weights.len()])[arm.index] += 1;
        }
    }

    /// Once a day.
    fn tell_full(&mut self) {
        if !std::mem::replace(&mut self.is_full, true) {
            tracing::warn!(
                "[exposures] memory has no room for all units of the day: some are logged at each lookup, and left out \
                 of the sample ratio; give it 16 bytes a unit"
            );
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

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::experiment::Experiments;
    use crate::experiment::exposures::arms::Arm;

    #[test]
    fn units_that_come_again_distort_nothing() {
        let config = serde_json::json!({"name": "rag", "salt": "s", "arms": [
            {"name": "control", "weight": 0.5, "channel": "a"}, {"name": "fresh", "weight": 0.5, "channel": "b"},
        ]});
        let experiments = Experiments::new(&[serde_json::from_value(config).unwrap()]).unwrap();
        let arms = Arm::of(&experiments).remove(0);
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut today = Today::default();
        let mut shown = |arm: usize, is_new, times| {
            for _ in 0..times {
                let arm = Arc::clone(&arms[arm]);
                today.count(&Exposure { arm, unit: "a".into(), at: 0, version: 1, is_new });
            }
            metrics::with_local_recorder(&recorder, || today.show(&[Arc::clone(&arms[0].deal)]));
            let shown = recorder.handle().render();
            let value = shown.lines().find_map(|line| line.strip_prefix(P_VALUE)?.split(' ').nth(1)).unwrap();
            value.parse::<f64>().unwrap()
        };
        shown(0, true, 100);
        assert_eq!(shown(1, true, 100), 1.0);
        assert_eq!(shown(1, false, 500), 1.0, "none of these is a unit");
        assert!(shown(1, true, 100) < 0.001);
    }
}
