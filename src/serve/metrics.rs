//! Every metric of the network face: its name, its unit, its help.
//!
//! Handles are resolved once; what a request costs here is a few atomic additions. Versions and channels are never
//! labels of these, so that the number of series is bounded.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SetRecorderError, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::error::Kind;
use super::face::Face;
use crate::experiment::{self, Assigned, Experiments};
use crate::lookup::Answer;
use crate::table::Source;
use crate::table::format::MAX_K;

const REQUESTS: &str = "segue_requests_total";
const DURATION: &str = "segue_request_duration_seconds";
const IN_FLIGHT: &str = "segue_in_flight_requests";
const LOOKUPS: &str = "segue_lookups_total";
const PREDICTIONS: &str = "segue_predictions_total";
const UNKNOWN: &str = "segue_unknown_clusters_total";
const INVALID: &str = "segue_invalid_requests_total";
const SHED: &str = "segue_shed_total";
const PANICS: &str = "segue_panics_total";
const ARM_LOOKUPS: &str = "segue_experiment_lookups_total";
const ARM_UNSERVED: &str = "segue_experiment_unserved_total";
const EXPERIMENTS_REFUSED: &str = "segue_experiments_refused";
const BUILD: &str = "segue_build_info";

/// Seconds, from what a lookup takes within the process to what a large table's swap takes.
const DURATION_BUCKETS: [f64; 22] = [
    2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 10.0, 30.0, 100.0,
];

/// How often the recorder folds observed durations into its buckets; they take memory until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// The registry of one server, and the handles of what it counts. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    in_flight: [Gauge; 2],
    lookups: [Counter; MAX_K + 1],
    predictions: [Counter; 3],
    unknown: Counter,
    shed: Counter,
    panics: Counter,
}

impl Default for Metrics {
    /// A registry of its own. [`Metrics::install`] opens it to the rest of the process.
    fn default() -> Self {
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &DURATION_BUCKETS);
        let recorder = builder.expect("only an empty list of buckets is refused").build_recorder();
        describe(&recorder);
        let build = [Label::from_static_parts("version", env!("CARGO_PKG_VERSION"))];
        gauge(&recorder, BUILD, build).set(1.0);
        Self(Arc::new(Inner {
            handle: recorder.handle(),
            in_flight: [Face::Grpc, Face::Http].map(|face| gauge(&recorder, IN_FLIGHT, [api(face)])),
            lookups: std::array::from_fn(|level| counter(&recorder, LOOKUPS, [Label::new("level", level.to_string())])),
            predictions: SOURCES
                .map(|(_, name)| counter(&recorder, PREDICTIONS, [Label::from_static_parts("source", name)])),
            unknown: counter(&recorder, UNKNOWN, []),
            shed: counter(&recorder, SHED, []),
            panics: counter(&recorder, PANICS, []),
            recorder: Arc::new(recorder),
        }))
    }
}

impl Metrics {
    /// Makes this the process's registry, so that what other modules count is shown by `/metrics` too. Once a process.
    pub fn install(&self) -> Result<(), SetRecorderError<Arc<PrometheusRecorder>>> {
        metrics::set_global_recorder(Arc::clone(&self.0.recorder))
    }

    /// All series in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// Keeps the durations' memory bounded for as long as it is polled.
    pub(super) async fn upkeep(&self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.0.handle.run_upkeep();
        }
    }

    /// The series of one method.
    pub(super) fn series(&self, face: Face, method: &str) -> Arc<Series> {
        let codes = (0..face.codes()).map(|_| OnceLock::new()).collect();
        Arc::new(Series { face, method: method.into(), metrics: self.clone(), duration: OnceLock::new(), codes })
    }

    /// Counters for every arm, so that those of no traffic show as 0.
    pub(super) fn arms(&self, experiments: &Experiments) -> ArmCounters {
        let of = |name, experiment: &str, arm: &str| {
            let labels = [Label::new("experiment", experiment.to_owned()), Label::new("arm", arm.to_owned())];
            counter(&self.0.recorder, name, labels)
        };
        let all = |name| {
            let by_arm =
                |config: &experiment::Config| config.arms.iter().map(|arm| of(name, &config.name, &arm.name)).collect();
            experiments.configs().map(by_arm).collect()
        };
        ArmCounters { served: all(ARM_LOOKUPS), unserved: all(ARM_UNSERVED) }
    }

    /// How many experiments of the store are not run here.
    pub(super) fn refused_experiments(&self, count: usize) {
        gauge(&self.0.recorder, EXPERIMENTS_REFUSED, []).set(count as f64);
    }

    /// Counts the lookups of one call.
    pub(super) fn add(&self, tally: &Tally) {
        let levels = self.0.lookups.iter().zip(tally.levels);
        let sources = self.0.predictions.iter().zip(tally.sources);
        for (counter, count) in levels.chain(sources).chain([(&self.0.unknown, tally.unknown)]) {
            if count > 0 {
                counter.increment(count);
            }
        }
    }

    /// Counts a call that was turned away.
    pub(super) fn refused(&self, kind: &Kind) {
        match kind.name {
            "busy" => self.0.shed.increment(1),
            "panicked" => self.0.panics.increment(1),
            name if kind.is_askers() => {
                counter(&self.0.recorder, INVALID, [Label::from_static_parts("reason", name)]).increment(1);
            }
            _ => {}
        }
    }
}

/// What is counted by experiment and arm, at [`Assigned::place`].
pub(super) struct ArmCounters {
    served: Vec<Vec<Counter>>,
    unserved: Vec<Vec<Counter>>,
}

impl ArmCounters {
    /// A lookup was answered from its arm's channel.
    pub(super) fn served(&self, Assigned { place: (experiment, arm), .. }: Assigned<'_>) {
        self.served[experiment][arm].increment(1);
    }

    /// The arm's channel has no table.
    pub(super) fn unserved(&self, Assigned { place: (experiment, arm), .. }: Assigned<'_>) {
        self.unserved[experiment][arm].increment(1);
    }
}

/// The series of one method of one face. Those never needed are never made, so that `/metrics` stays short.
pub(super) struct Series {
    face: Face,
    pub(super) method: Box<str>,
    metrics: Metrics,
    duration: OnceLock<Histogram>,
    /// By [`Face::code_index`].
    codes: Box<[OnceLock<Counter>]>,
}

impl Series {
    /// A call has begun.
    pub(super) fn begin(&self) {
        self.metrics.0.in_flight[self.face as usize].increment(1.0);
    }

    /// Its answer has begun.
    pub(super) fn answered(&self, began: Instant) {
        let register = || {
            let key = Key::from_parts(DURATION, self.labels().to_vec());
            self.metrics.0.recorder.register_histogram(&key, &METADATA)
        };
        self.duration.get_or_init(register).record(began.elapsed().as_secs_f64());
    }

    /// It is over.
    pub(super) fn ended(&self, code: u16) {
        self.metrics.0.in_flight[self.face as usize].decrement(1.0);
        let register = || {
            let [api, method] = self.labels();
            counter(&self.metrics.0.recorder, REQUESTS, [api, method, Label::new("code", self.face.code_name(code))])
        };
        if let Some(counter) = self.codes.get(self.face.code_index(code)) {
            counter.get_or_init(register).increment(1);
        }
    }

    pub(super) fn refused(&self, kind: &Kind) {
        self.metrics.refused(kind);
    }

    fn labels(&self) -> [Label; 2] {
        [api(self.face), Label::new("method", self.method.to_string())]
    }
}

/// What the lookups of one call add up to.
#[derive(Default)]
pub(super) struct Tally {
    levels: [u64; MAX_K + 1],
    /// As [`SOURCES`].
    sources: [u64; 3],
    unknown: u64,
}

const SOURCES: [(Source, &str); 3] =
    [(Source::Llm, "llm"), (Source::Retrieved, "retrieved"), (Source::Popular, "popular")];

impl Tally {
    pub(super) fn note(&mut self, answer: Answer<'_>) {
        self.levels[answer.matched as usize] += 1;
        for prediction in answer.predictions {
            self.sources[prediction.source as usize - 1] += 1;
        }
        self.unknown += u64::from(answer.unknown);
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

fn api(face: Face) -> Label {
    Label::from_static_parts("api", face.name())
}

fn counter<const N: usize>(recorder: &impl Recorder, name: &'static str, labels: [Label; N]) -> Counter {
    recorder.register_counter(&Key::from_parts(name, labels.to_vec()), &METADATA)
}

fn gauge<const N: usize>(recorder: &impl Recorder, name: &'static str, labels: [Label; N]) -> Gauge {
    recorder.register_gauge(&Key::from_parts(name, labels.to_vec()), &METADATA)
}

fn describe(recorder: &impl Recorder) {
    for (name, help) in [
        (REQUESTS, "Calls ended, by API, method and status code; CANCELLED and 499 are calls that the client gave up."),
        (LOOKUPS, "Lookups answered, by the length of the longest key found; 0 was answered from popular alone."),
        (PREDICTIONS, "Predictions sent, by their source."),
        (UNKNOWN, "Cluster ids in histories that the table does not know; they were dropped."),
        (ARM_LOOKUPS, "Lookups answered from an arm's channel, by experiment and arm."),
        (
            ARM_UNSERVED,
            "Lookups whose arm's channel has no table: the experiment's own channel answered, and no arm was named.",
        ),
        (INVALID, "Calls refused for what they asked, by reason."),
        (SHED, "Calls turned away because serve.max_concurrency others were in work."),
        (PANICS, "Calls that ended in a panic of the server: each one is a defect."),
    ] {
        recorder.describe_counter(KeyName::from_const_str(name), Some(Unit::Count), help.into());
    }
    for (name, help) in [
        (IN_FLIGHT, "Calls and streams open now, by API."),
        (
            EXPERIMENTS_REFUSED,
            "Experiments that calls declared and this server does not run, as its config conflicts with them.",
        ),
        (BUILD, "Always 1; the label names the running version of the software."),
    ] {
        recorder.describe_gauge(KeyName::from_const_str(name), None, help.into());
    }
    let help = "Seconds from a call's head to its answer's head, by API and method; a stream counts when it opens.";
    recorder.describe_histogram(KeyName::from_const_str(DURATION), Some(Unit::Seconds), help.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_modules_count_is_shown_once_installed() {
        let metrics = Metrics::default();
        metrics.install().unwrap();
        metrics::counter!("segue_of_another_module_total").increment(3);
        assert!(metrics.render().contains("segue_of_another_module_total 3"));
        assert!(Metrics::default().install().is_err(), "once a process");
    }
}
