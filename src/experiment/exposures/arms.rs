//! Arms as the log knows them: by name and by the hand that dealt their units, whatever set of experiments they are in.

use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, counter};
use xxhash_rust::xxh3::xxh3_64;

use crate::experiment::{Config, Experiments};

/// An experiment's arms with all that decides which units they hold. While that stays the same, the units counted by arm
/// compare with the weights; when it changes, units are counted, and logged, anew.
pub(super) struct Deal {
    pub(super) experiment: String,
    pub(super) weights: Vec<f64>,
    /// A hash of it all.
    pub(super) key: u64,
}

/// One arm of a deal.
pub(super) struct Arm {
    pub(super) deal: Arc<Deal>,
    pub(super) name: String,
    /// Its place in the deal's weights.
    pub(super) index: usize,
    pub(super) counters: Counters,
}

pub(super) struct Counters {
    pub(super) logged: Counter,
    pub(super) repeating: Counter,
    pub(super) full: Counter,
    pub(super) too_long: Counter,
}

impl Arm {
    /// The arms of each experiment.
    pub(super) fn of(experiments: &Experiments) -> Vec<Vec<Arc<Self>>> {
        let arms = |config: &Config| {
            let weights = config.arms.iter().map(|arm| arm.weight).collect();
            let deal = Arc::new(Deal { experiment: config.name.clone(), weights, key: key(config) });
            let arm = |(index, name): (usize, &str)| {
                let counters = Counters::of(&config.name, name);
                Arc::new(Self { deal: Arc::clone(&deal), name: name.into(), index, counters })
            };
            config.arms.iter().map(|arm| arm.name.as_str()).enumerate().map(arm).collect()
        };
        experiments.configs().map(arms).collect()
    }
}

/// Texts hold no NUL, so that none runs into the next. The traffic is left out: it adds units to every arm alike.
fn key(config: &Config) -> u64 {
    let mut text = [config.name.as_bytes(), b"\0", config.salt.as_bytes()].concat();
    for arm in &config.arms {
        text.push(0);
        text.extend_from_slice(arm.name.as_bytes());
        text.push(0);
        text.extend_from_slice(&arm.weight.to_bits().to_le_bytes());
    }
    xxh3_64(&text)
}

impl Counters {
    fn of(experiment: &str, arm: &str) -> Self {
        let labels = || [("experiment", experiment.to_owned()), ("arm", arm.to_owned())];
        let dropped = |reason: &'static str| {
            let [experiment, arm] = labels();
            counter!("segue_exposures_dropped_total", &[experiment, arm, ("reason", reason.to_owned())])
        };
        Self {
            logged: counter!("segue_exposures_total", &labels()),
            repeating: counter!("segue_exposures_repeating_total", &labels()),
            full: dropped("queue_full"),
            too_long: dropped("unit_too_long"),
        }
    }
}

/// The deals of the experiments that run now: what the writing thread tells of. No lookup comes here.
#[derive(Default)]
pub(super) struct Dealing(Mutex<Vec<Arc<Deal>>>);

impl Dealing {
    pub(super) fn set(&self, deals: Vec<Arc<Deal>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = deals;
    }

    pub(super) fn get(&self) -> Vec<Arc<Deal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
