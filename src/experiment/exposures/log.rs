//! The lookups' side of the log: is this one new, and will the queue take it?

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};

use metrics::{describe_counter, describe_gauge};

use super::arms::{Arm, Dealing};
use super::config::{ExposuresConfig, ExposuresError};
use super::seen::{Found, Seen, Taken};
use super::writer::{ExposureWriter, Slot};
use super::{Exposure, day};
use crate::experiment::{Assigned, Experiments};

/// A longer unit is not logged, so that the queue's memory is bounded.
const MAX_UNIT: usize = 1024;

/// The log of one process. Takes memory, and a thread, from the first experiment on. Cheap to clone.
#[derive(Clone)]
pub struct Exposures(Arc<Inner>);

struct Inner {
    config: ExposuresConfig,
    log: OnceLock<Arc<Log>>,
    slot: Arc<Slot>,
}

struct Log {
    seen: Seen,
    queue: SyncSender<Exposure>,
    dealing: Arc<Dealing>,
}

/// Where lookups note exposures of one set of experiments.
pub struct ArmExposures {
    log: Option<Arc<Log>>,
    /// As [`Assigned::place`].
    arms: Vec<Vec<Arc<Arm>>>,
}

impl Exposures {
    /// A log that has not begun. Dropping the [`ExposureWriter`] writes what is left, and ends it.
    pub fn new(config: &ExposuresConfig) -> Result<(Self, ExposureWriter), ExposuresError> {
        config.check()?;
        let slot = Arc::new(Slot::default());
        let inner = Inner { config: config.clone(), log: OnceLock::new(), slot: Arc::clone(&slot) };
        Ok((Self(Arc::new(inner)), ExposureWriter(slot)))
    }

    /// Makes room for these experiments' exposures, in place of those before. What is noted waits in the queue until
    /// [`Exposures::begin`] has succeeded.
    pub fn of(&self, experiments: &Experiments) -> ArmExposures {
        if experiments.is_empty() && self.0.log.get().is_none() {
            return ArmExposures { log: None, arms: Vec::new() };
        }
        let log = self.0.log.get_or_init(|| {
            let (queue, waiting) = sync_channel(self.0.config.queue.get());
            let dealing = Arc::<Dealing>::default();
            self.0.slot.fill(waiting, Arc::clone(&dealing));
            Arc::new(Log { seen: Seen::within(self.0.config.memory), queue, dealing })
        });
        let arms = Arm::of(experiments);
        log.dealing.set(arms.iter().filter_map(|arms| Some(Arc::clone(&arms.first()?.deal))).collect());
        ArmExposures { log: Some(Arc::clone(log)), arms }
    }

    /// Starts the thread that counts and writes, where there is anything to and it has not been started. After an error
    /// it can be tried again. That nothing is logged, for want of a path, is said once.
    pub fn begin(&self) -> Result<(), ExposuresError> {
        self.0.slot.begin(&self.0.config)
    }
}

impl ArmExposures {
    /// Notes that `unit` was answered by its arm, from `version`, at so many microseconds since 1970. Neither waits nor
    /// locks; allocates for an exposure that is new today. The arm must be of the set that this was made for.
    pub fn note(&self, assigned: Assigned<'_>, unit: &str, version: u64, at: i64) {
        let Some(log) = &self.log else { return };
        let arm = &self.arms[assigned.place.0][assigned.place.1];
        let taken = match log.seen.find((arm.deal.key, arm.index), day(at), unit) {
            Found::Known => return,
            Found::New(taken) => Some(taken),
            Found::NoRoom => None,
        };
        if unit.len() > MAX_UNIT {
            arm.counters.too_long.increment(1);
            return;
        }
        let exposure = Exposure { arm: Arc::clone(arm), unit: unit.into(), at, version, is_new: taken.is_some() };
        match (log.queue.try_send(exposure), taken) {
            (Ok(()), Some(_)) => arm.counters.logged.increment(1),
            (Ok(()), None) => arm.counters.repeating.increment(1),
            (Err(_), taken) => {
                taken.into_iter().for_each(Taken::forget);
                arm.counters.full.increment(1);
            }
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
        "Exposures that were not taken, by experiment, arm and reason; where the queue was full they are offered again at \
         the unit's next lookup."
    );
    describe_counter!(
        "segue_exposures_repeating_total",
        "Exposures of units that exposures.memory has no room for, by experiment and arm: each lookup of them is logged, \
         and they count in neither segue_exposures_total nor the sample ratio."
    );
    describe_counter!("segue_exposures_written_total", "Exposures that are in a file.");
    describe_counter!("segue_exposures_lost_total", "Exposures that could not be written before the process ended.");
    describe_counter!(
        "segue_exposure_write_failures_total",
        "Files of exposures that could not be written; each is tried again."
    );
    describe_gauge!(
        "segue_experiment_sample_ratio_p_value",
        "How likely today's units by arm are under the weights; below 0.001 the arms do not compare. Counted anew when \
         the salt, arms or weights change; NaN once the experiment has ended."
    );
}
