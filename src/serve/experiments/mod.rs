//! The experiments that run in this server, kept up with the store.
//!
//! A set is read once a request, and only for one that names a unit; it is exchanged whole, with its counters and its
//! part of the exposure log, so that places within it always belong together.

mod admin;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use super::metrics::{ArmCounters, Metrics};
use crate::experiment::{
    ArmExposures, Assigned, DeclareError, Declared, Experiments, Exposures, Ledger, Refused, Standing,
};
use crate::store::ExperimentChange;

/// Looking more often than this costs more than it tells.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// The running experiments of one server. Cheap to clone; clones show the same.
#[derive(Clone)]
pub struct LiveExperiments(Arc<Inner>);

struct Inner {
    declared: Declared,
    exposures: Exposures,
    metrics: Metrics,
    running: ArcSwap<Running>,
    reading: Mutex<Reading>,
}

/// One set, wholly.
pub(super) struct Running {
    experiments: Experiments,
    arms: ArmCounters,
    exposures: ArmExposures,
}

#[derive(Default)]
struct Reading {
    ledger: Ledger,
    refused: Vec<Refused>,
    /// What cannot be done at the moment, by part of the server.
    troubles: BTreeMap<&'static str, String>,
}

impl Running {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.experiments.is_empty()
    }

    /// The arm that answers `unit` on `channel`, at so many microseconds since 1970.
    pub(super) fn assign(&self, channel: &str, unit: &str, now: i64) -> Option<Assigned<'_>> {
        self.experiments.assign(channel, unit, now.div_euclid(1_000_000))
    }

    /// A lookup was answered from its arm's channel, by `version`.
    pub(super) fn served(&self, assigned: Assigned<'_>, unit: &str, version: u64, now: i64) {
        self.arms.served(assigned);
        self.exposures.note(assigned, unit, version, now);
    }

    /// The arm's channel has no table.
    pub(super) fn unserved(&self, assigned: Assigned<'_>) {
        self.arms.unserved(assigned);
    }
}

impl LiveExperiments {
    /// What is declared now. What the store cannot tell yet joins when it can.
    pub fn start(declared: Declared, exposures: Exposures, metrics: Metrics) -> Self {
        let standing = declared.standing(&Ledger::default());
        let running = ArcSwap::from_pointee(running(&standing.experiments, &exposures, &metrics));
        let live = Self(Arc::new(Inner { declared, exposures, metrics, running, reading: Mutex::default() }));
        live.0.metrics.refused_experiments(0);
        live.refresh();
        live
    }

    /// The set as it is now; wait-free.
    #[inline]
    pub(super) fn load(&self) -> Guard<Arc<Running>> {
        self.0.running.load()
    }

    /// Reads what the store has that is new, and lets it run; tells what does not, and why. Blocks on the disk.
    pub fn refresh(&self) -> Vec<String> {
        let mut reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = match self.0.declared.follow(&mut reading.ledger) {
            Ok(news) if news.is_empty() => None,
            Ok(news) => {
                news.iter().for_each(tell);
                reading.refused = self.exchange(&reading.ledger);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        reading.note("experiments", trouble);
        reading.note("channels", self.missing_channels());
        reading.note("exposures", self.0.exposures.begin().err().map(|error| error.to_string()));
        reading.told()
    }

    /// Units of such arms are answered from the experiment's own channel for now.
    fn missing_channels(&self) -> Option<String> {
        let told = |missing: Vec<DeclareError>| missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let told = self.0.declared.missing_channels().map_or_else(|error| error.to_string(), told);
        (!told.is_empty()).then_some(told)
    }

    /// Lets run what the ledger says; returns what does not.
    fn exchange(&self, ledger: &Ledger) -> Vec<Refused> {
        let Inner { declared, exposures, metrics, running: shown, .. } = &*self.0;
        let Standing { experiments, refused } = declared.standing(ledger);
        shown.store(Arc::new(running(&experiments, exposures, metrics)));
        metrics.refused_experiments(refused.len());
        for Refused { experiment, why } in &refused {
            tracing::error!(experiment, why, "an experiment of the store is refused");
        }
        refused
    }

    /// [`LiveExperiments::refresh`] apart from the lookups' threads.
    pub async fn reload(&self) -> Vec<String> {
        let live = self.clone();
        let refreshed = tokio::task::spawn_blocking(move || live.refresh()).await;
        // A panic there has told of itself, too.
        refreshed.unwrap_or_else(|_| vec!["experiments: the store could not be read; the log says why".into()])
    }

    /// Keeps up with the store for as long as it is polled.
    pub(super) async fn follow(&self, poll: Duration) {
        loop {
            tokio::time::sleep(poll.max(SHORTEST_POLL)).await;
            self.reload().await;
        }
    }
}

fn running(experiments: &Experiments, exposures: &Exposures, metrics: &Metrics) -> Running {
    let (arms, exposures) = (metrics.arms(experiments), exposures.of(experiments));
    Running { experiments: experiments.clone(), arms, exposures }
}

fn tell(change: &ExperimentChange) {
    let ExperimentChange { seq, action, experiment, who, why, .. } = change;
    tracing::info!(seq, %action, experiment, who, why, "an experiment changed");
}

impl Reading {
    /// Keeps what is wrong, and says so once as long as it is the same.
    fn note(&mut self, about: &'static str, trouble: Option<String>) {
        if self.troubles.get(about) == trouble.as_ref() {
            return;
        }
        match trouble {
            Some(why) => {
                tracing::error!(about, why, "what runs stays");
                self.troubles.insert(about, why);
            }
            None => {
                tracing::info!(about, "all is well again");
                self.troubles.remove(about);
            }
        }
    }

    fn told(&self) -> Vec<String> {
        let refused = self.refused.iter().map(|one| format!("experiment {}: {}", one.experiment, one.why));
        refused.chain(self.troubles.iter().map(|(about, why)| format!("{about}: {why}"))).collect()
    }
}
