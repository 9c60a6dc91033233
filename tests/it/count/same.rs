//! Every format, sequence, key length and window counts what the model counts.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use segue::interactions::{Config, Log, Reason, Report, Sequence, Window};

use super::files::{KINDS, Kind, write};
use super::model::{Event, Model, instant, is_within};
use super::{rows, run, taxonomy};

const CLUSTERS: u32 = 7;
const MINUTE: i64 = 60_000;

/// Times that meet: on borders of days and months, on ties, on gaps of exactly 30 minutes and a little more.
fn time() -> impl Strategy<Value = i64> {
    let base = prop::sample::select(vec![0, -5_000 * 1440 * MINUTE, 19_722 * 1440 * MINUTE]);
    let ticks = prop_oneof![Just(0), Just(0), Just(1), Just(-1)];
    (base, -2..2_i64, 0..4_i64, ticks)
        .prop_map(|(base, days, halves, tick)| base + days * 1440 * MINUTE + halves * 30 * MINUTE + tick)
}

fn event() -> impl Strategy<Value = Event> {
    let mostly = |values: BoxedStrategy<i64>| prop::option::weighted(0.97, values);
    let clusters = prop_oneof![40 => 0..i64::from(CLUSTERS), 1 => Just(99), 1 => Just(-1)];
    (mostly((-2..3_i64).boxed()), mostly(clusters.boxed()), mostly(time().boxed()), mostly((5..11_i64).boxed()))
        .prop_map(|(user, cluster, time, rating)| Event { user, cluster, time, rating })
}

fn sequence() -> impl Strategy<Value = Sequence> {
    let gap = prop::sample::select(vec![1, 30 * 60_000, 30 * 60_000 + 1, 86_400_000]).prop_map(Duration::from_millis);
    prop_oneof![Just(Sequence::User), Just(Sequence::UserDay), Just(Sequence::UserMonth), gap.prop_map(Sequence::Gap)]
}

/// Bounds on events, and between them: finer than what the log stores.
fn window() -> impl Strategy<Value = Window> {
    (prop::option::of(time()), prop::option::of(time()), prop::bool::ANY).prop_map(|(from, to, between)| {
        let shift = TimeDelta::microseconds(if between { 500 } else { 0 });
        let Window { from, to } = ordered(from, to);
        Window { from: from.map(|from| from + shift), to: to.map(|to| to + shift) }
    })
}

fn ordered(from: Option<i64>, to: Option<i64>) -> Window {
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Window { from: Some(instant(to)), to: Some(instant(from + 1)) },
        (from, to) => Window { from: from.map(instant), to: to.map(instant) },
    }
}

fn expected_report(events: &[Event], window: &Window) -> Report {
    let mut report = Report::default();
    let mut bad = BTreeMap::new();
    for event in events.iter().filter(|event| event.time.is_none_or(|time| is_within(time, window))) {
        report.rows += 1;
        let known = event.cluster.is_some_and(|cluster| (0..i64::from(CLUSTERS)).contains(&cluster));
        let fault = match event {
            Event { user: None, .. } => Some(Reason::NoUser),
            Event { time: None, .. } => Some(Reason::NoTimestamp),
            Event { cluster: None, .. } => Some(Reason::NoCluster),
            _ if !known => Some(Reason::UnknownCluster),
            _ => None,
        };
        match fault {
            Some(reason) => *bad.entry(reason).or_default() += 1,
            None => report.positives += u64::from(event.rating.is_some_and(|rating| rating >= 7)),
        }
    }
    Report { bad, ..report }
}

fn check(kind: Kind, events: &[Event], sequence: Sequence, k: usize, window: &Window, min_users: u64) {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        positive: Some("rating >= 7".to_owned()),
        sequence,
        min_users,
        max_bad_share: 1.0,
        ..write(kind, events, directory.path())
    };
    let model = Model::new(events, CLUSTERS, sequence, window);
    run(async {
        let log = Log::open(&config, &taxonomy(CLUSTERS)).await.unwrap();
        let expected = expected_report(events, window);
        if let Ok(mut report) = log.report(window).await {
            report.samples.clear();
            assert_eq!(report, expected);
        } else {
            assert_eq!(expected.positives, 0);
        }
        assert_eq!(rows(&log, k, window).await.unwrap(), model.transitions(k, min_users));
        let popular = log.popular(window).await.unwrap();
        let clusters = popular.clusters.iter().map(|&(id, count)| (id.0, count)).collect();
        assert_eq!((clusters, popular.sequences), model.popular());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_the_model(
        kind in prop::sample::select(KINDS.to_vec()),
        events in prop::collection::vec(event(), 20..160),
        sequence in sequence(),
        window in prop_oneof![Just(Window::default()), window()],
        k in 1..=4_usize,
        min_users in 0..4_u64,
    ) {
        check(kind, &events, sequence, k, &window, min_users);
    }
}
