//! The lookups' side of the log: is this one new, and will the queue take it?

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use metrics::{Counter, counter, describe_counter, describe_gauge};

use super::config::{ExposuresConfig, ExposuresError};
use super::seen::Seen;
use super::writer::{ExposureWriter, Names};
use super::{Exposure, day};
use crate::experiment::{Assigned, Experiments};

/// A longer unit is not logged, so that the queue's memory is bounded.
const MAX_UNIT: usize = 1024;

/// Where lookups note exposures. Cheap to clone.
#[derive(Clone)]
pub struct Exposures(Arc<Inner>);

struct Inner {
    seen: Seen,
    queue: SyncSender<Exposure>,
    /// By experiment and arm.
    counters: Vec<Vec<Counters>>,
}

struct Counters {
    logged: Counter,
    full: Counter,
    too_long: Counter,
}

impl Exposures {
    /// Starts the thread that counts and writes; dropping the [`ExposureWriter`] writes what is left and ends it.
    /// `None` without experiments. That nothing is logged, for want of a path, is said once.
    pub fn start(
        config: &ExposuresConfig,
        experiments: &Experiments,
    ) -> Result<Option<(Self, ExposureWriter)>, ExposuresError> {
        if experiments.is_empty() {
            return Ok(None);
        }
        config.check()?;
        if config.path.is_none() {
            tracing::warn!("exposures are counted but not logged: [exposures] path names the directory to log them to");
        }
        let (queue, waiting) = sync_channel(config.queue.get());
        let writer = ExposureWriter::start(config, Names::of(experiments), waiting)?;
        let of_experiment = |config: &crate::experiment::Config| {
            config.arms.iter().map(|arm| Counters::of(&config.name, &arm.name)).collect()
        };
        let counters = experiments.configs().map(of_experiment).collect();
        Ok(Some((Self(Arc::new(Inner { seen: Seen::within(config.memory), queue, counters })), writer)))
    }

    /// Notes that `unit` was answered by its arm, from `version`, at so many microseconds since 1970. Neither waits nor
    /// locks; allocates for an exposure that is new today.
    pub fn note(&self, assigned: Assigned<'_>, unit: &str, version: u64, at: i64) {
        let Inner { seen, queue, counters } = &*self.0;
        let mark = seen.mark(assigned.place, day(at), unit);
        if mark.is_known() {
            return;
        }
        let counters = &counters[assigned.place.0][assigned.place.1];
        if unit.len() > MAX_UNIT {
            counters.too_long.increment(1);
            return;
        }
        match queue.try_send(Exposure { place: assigned.place, unit: unit.into(), at, version }) {
            Ok(()) => {
                mark.keep();
                counters.logged.increment(1);
            }
            Err(_) => counters.full.increment(1),
        }
    }
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
            full: dropped("queue_full"),
            too_long: dropped("unit_too_long"),
        }
    }
}

/// Tells the recorder what the names mean.
pub fn describe_metrics() {
    describe_counter!(
        "segue_exposures_total",
        "Units that an arm answered, each once a day, by experiment and arm; logged where exposures.path is set."
    );
    describe_counter!(
        "segue_exposures_dropped_total",
        "Exposures that were not taken, by experiment, arm and reason; offered again at the unit's next lookup."
    );
    describe_counter!("segue_exposures_written_total", "Exposures that are in a file.");
    describe_counter!("segue_exposures_lost_total", "Exposures that could not be written before the process ended.");
    describe_counter!(
        "segue_exposure_write_failures_total",
        "Files of exposures that could not be written; each is tried again."
    );
    describe_gauge!(
        "segue_experiment_sample_ratio_p_value",
        "How likely today's units by arm are under the weights; below 0.001 the arms do not compare."
    );
}
