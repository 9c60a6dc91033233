//! Logs follow the truth, and the truth drifts as its kind says.

use std::collections::{HashMap, HashSet};

use datafusion::arrow::array::{Float64Array, Int32Array};
use segue::ids::ClusterId;
use segue::simulate::{Config, Drift, Successor, Truth};

use super::{Row, batches, column, day_file, day_of, log, sequences, simulation, small, without_chance, written};

/// How far the log's new interests lie from `truth`, in standard deviations, for each rank of preferred successor.
fn deviations<'s>(log: &[Row], config: &Config, truth: impl Fn(u32) -> Truth<'s>) -> Vec<f64> {
    let ids: Vec<ClusterId> = (1..=config.clusters).map(ClusterId).collect();
    let mut sums = vec![(0.0, 0.0); 5];
    for sequence in sequences(log).values() {
        for (at, window) in sequence.windows(3).enumerate() {
            let [(older, _), (newer, _), (next, time)] = *window else { unreachable!() };
            let truth = truth(day_of(time, config));
            let met: HashSet<ClusterId> = sequence[..at + 2].iter().map(|met| met.0).collect();
            let open = ids.iter().filter(|id| !met.contains(id));
            let open: f64 = open.map(|&id| truth.probability(older, newer, id)).sum();
            for (rank, preferred) in truth.preferred(older, newer).iter().enumerate() {
                if !met.contains(&preferred.cluster) {
                    let expected = preferred.probability / open;
                    let seen = f64::from(u8::from(preferred.cluster == next));
                    sums[rank].0 += seen - expected;
                    sums[rank].1 += expected * (1.0 - expected);
                }
            }
        }
    }
    sums.into_iter().map(|(excess, variance): (f64, f64)| excess / variance.sqrt()).collect()
}

const KINDS: [Drift; 4] =
    [Drift::None {}, Drift::Slow { rate: 0.3 }, Drift::Sudden { at: 0.5 }, Drift::Seasonal { period: 2 }];

#[test]
fn new_interests_follow_the_truth_of_their_day() {
    for drift in KINDS {
        let config = without_chance(Config { users: 1_500, drift, ..small() });
        let (dir, simulation) = (written(&config), simulation(&config));
        let log = log(dir.path(), &config);
        let now = deviations(&log, &config, |day| simulation.truth(day));
        assert!(now.iter().all(|deviation| deviation.abs() < 4.5), "{drift:?}: {now:?}");
        if drift != (Drift::None {}) {
            let stale = deviations(&log, &config, |_| simulation.truth(0));
            assert!(stale[0] < -20.0, "{drift:?}: the truth of the first day fits all days: {stale:?}");
        }
    }
}

#[test]
fn new_interests_follow_the_truth_where_almost_all_of_it_is_met() {
    let skewed = Config { users: 3_000, clusters: 8, popularity_skew: 4.0, pair_strength: 0.02, ..small() };
    let config = without_chance(skewed);
    let (dir, simulation) = (written(&config), simulation(&config));
    let deviations = deviations(&log(dir.path(), &config), &config, |day| simulation.truth(day));
    assert!(deviations.iter().all(|deviation| deviation.abs() < 4.5), "{deviations:?}");
}

#[test]
fn first_interests_follow_popularity() {
    let config = without_chance(Config { users: 3_000, ..small() });
    let (dir, simulation) = (written(&config), simulation(&config));
    let sequences = sequences(&log(dir.path(), &config));
    let users = sequences.len() as f64;
    for cluster in (1..=config.clusters).map(ClusterId) {
        let seen = sequences.values().filter(|sequence| sequence[0].0 == cluster).count() as f64;
        let share = simulation.truth(0).popularity(cluster);
        let deviation = (seen - share * users) / (share * (1.0 - share) * users).sqrt();
        assert!(deviation.abs() < 4.5, "{cluster} came first {seen} times, its share of {users} is {share}");
    }
}

fn clusters_of(successors: &[Successor]) -> HashSet<ClusterId> {
    successors.iter().map(|successor| successor.cluster).collect()
}

/// Mean Jaccard similarity of all pairs' preferred successors on two days.
fn stability(config: &Config, days: (u32, u32)) -> f64 {
    let simulation = simulation(config);
    let ids = (1..=config.clusters).map(ClusterId);
    let pairs = ids.clone().flat_map(|older| ids.clone().map(move |newer| (older, newer)));
    let (mut sum, mut count) = (0.0, 0.0);
    for (older, newer) in pairs.filter(|(older, newer)| older != newer) {
        let one = clusters_of(&simulation.truth(days.0).preferred(older, newer));
        let two = clusters_of(&simulation.truth(days.1).preferred(older, newer));
        assert_eq!((one.len(), two.len()), (5, 5));
        sum += one.intersection(&two).count() as f64 / one.union(&two).count() as f64;
        count += 1.0;
    }
    sum / count
}

#[test]
fn drift_does_what_its_kind_says() {
    let with = |drift| Config { clusters: 60, days: 20, drift, ..Config::default() };
    assert_eq!(stability(&with(Drift::None {}), (0, 19)), 1.0);
    assert_eq!(stability(&with(Drift::Slow { rate: 0.0 }), (0, 19)), 1.0);

    // Two draws of 5 out of 58 share 0.43 on average.
    let chance = stability(&with(Drift::Slow { rate: 1.0 }), (0, 1));
    assert!((0.03..0.07).contains(&chance), "{chance}");
    let slow = with(Drift::Slow { rate: 0.1 });
    for (day, kept) in [(1, 0.9), (7, 0.9_f64.powi(7))] {
        let (found, expected) = (stability(&slow, (0, day)), kept + (1.0 - kept) * chance);
        assert!((found - expected).abs() < 0.03, "{found} after {day} days, {expected} expected");
    }

    let sudden = with(Drift::Sudden { at: 0.25 });
    assert_eq!(stability(&sudden, (0, 4)), 1.0);
    assert!(stability(&sudden, (4, 5)) < 0.1);
    assert_eq!(stability(&sudden, (5, 19)), 1.0);

    let seasonal = with(Drift::Seasonal { period: 3 });
    assert_eq!(stability(&seasonal, (0, 2)), 1.0);
    assert!(stability(&seasonal, (2, 3)) < 0.1);
    assert_eq!(stability(&seasonal, (2, 6)), 1.0);
    assert_eq!(stability(&seasonal, (3, 17)), 1.0);
}

#[test]
fn the_truth_is_a_distribution() {
    for (clusters, preferred) in [(4, 2), (6, 4), (24, 5)] {
        let simulation = simulation(&Config { clusters, pair_strength: 0.7, ..small() });
        let (truth, ids) = (simulation.truth(3), (1..=clusters).map(ClusterId));
        let popularity: f64 = ids.clone().map(|id| truth.popularity(id)).sum();
        assert!((popularity - 1.0).abs() < 1e-9);
        for (older, newer) in [(1, 2), (2, 1), (4, 3)].map(|(older, newer)| (ClusterId(older), ClusterId(newer))) {
            let sum: f64 = ids.clone().map(|next| truth.probability(older, newer, next)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
            assert_eq!(truth.probability(older, newer, older), 0.0);
            let successors = truth.preferred(older, newer);
            assert_eq!(successors.len(), preferred);
            assert!(successors.is_sorted_by(|a, b| a.probability >= b.probability));
            for Successor { cluster, probability } in successors {
                assert!(cluster != older && cluster != newer);
                assert_eq!(truth.probability(older, newer, cluster), probability);
            }
        }
        for none in [(1, 1), (0, 1), (1, clusters + 1)].map(|(a, b)| (ClusterId(a), ClusterId(b))) {
            assert_eq!(truth.preferred(none.0, none.1), []);
            assert_eq!(truth.probability(none.0, none.1, ClusterId(2)), 0.0);
        }
        assert_eq!(truth.popularity(ClusterId(0)), 0.0);
        assert_eq!(truth.probability(ClusterId(1), ClusterId(2), ClusterId(clusters + 1)), 0.0);
    }
}

#[test]
fn the_truth_on_disk_is_the_truth_in_code() {
    let config = without_chance(small());
    let (dir, simulation) = (written(&config), simulation(&config));
    let sequences = sequences(&log(dir.path(), &config));
    for day in 0..config.days {
        let mut on_disk: HashMap<(ClusterId, ClusterId), Vec<Successor>> = HashMap::new();
        for batch in batches(&day_file(dir.path(), "truth", &config, day)) {
            let id = |name, at| ClusterId(column::<Int32Array>(&batch, name).value(at).try_into().unwrap());
            let probabilities: Float64Array = column(&batch, "probability");
            for at in 0..batch.num_rows() {
                let next = Successor { cluster: id("next", at), probability: probabilities.value(at) };
                on_disk.entry((id("c1", at), id("c2", at))).or_default().push(next);
            }
        }
        let windows = sequences.values().flat_map(|sequence| sequence.windows(3));
        let of_day = windows.filter(|window| day_of(window[2].1, &config) == day);
        let pairs: HashSet<_> = of_day.map(|window| (window[0].0, window[1].0)).collect();
        assert!(pairs.len() > 100, "{} pairs on day {day}", pairs.len());
        assert_eq!(on_disk.keys().copied().collect::<HashSet<_>>(), pairs);
        for ((older, newer), successors) in on_disk {
            assert_eq!(simulation.truth(day).preferred(older, newer), successors);
        }
    }
}
