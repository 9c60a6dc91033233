//! Who watches what.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use segue::ids::ClusterId;
use segue::simulate::{Config, Drift, Engagement};

use super::{Row, day_file, day_of, log, rows, sequences, small, without_chance, written};

#[test]
fn users_who_outlive_their_interests_are_replaced() {
    let config = without_chance(Config { churn: 0.0, discovery: 1.0, clusters: 6, days: 4, ..small() });
    let dir = written(&config);
    let log = log(dir.path(), &config);
    let most = sequences(&log).values().map(Vec::len).max();
    assert_eq!(most, Some(3), "half of six clusters");
    let users = |day| -> HashSet<i64> {
        log.iter().filter(|row| day_of(row.time, &config) == day).map(|row| row.user).collect()
    };
    let (first, last) = (users(0), users(3));
    assert!(last.len() > 280, "300 users of 8 events a day");
    assert!(first.intersection(&last).count() < 10, "with 8 events a day almost everybody meets three in a day");
    let transitions = |day| sequences(&log).values().filter(|s| s.len() == 3 && day_of(s[2].1, &config) == day).count();
    assert!(transitions(3) > 200, "{}", transitions(3));
}

#[test]
fn every_day_has_newcomers() {
    let config = Config { users: 2_000, churn: 0.2, clusters: 2_000, ..small() };
    let dir = written(&config);
    let mut known = HashSet::new();
    for day in 0..config.days {
        let users: HashSet<i64> = rows(&day_file(dir.path(), "log", &config, day)).iter().map(|row| row.user).collect();
        let new = users.difference(&known).count();
        // 400 on average, four standard deviations to each side; hardly anyone has a day without events.
        assert!(day == 0 || (325..475).contains(&new), "{new} newcomers on day {day}");
        known.extend(users);
    }
}

#[test]
fn the_edges_of_the_config_can_be_simulated() {
    let sure = Engagement { noise: 0.0, interest: 1.0, by_chance: 1.0 };
    for config in [
        Config { clusters: 4, pair_strength: 1.0, discovery: 1.0, ..small() },
        Config { clusters: 4, pair_strength: 0.0, popularity_skew: 4.0, ..small() },
        Config { engagement: Engagement { noise: 1.0, ..sure }, ..small() },
        Config { engagement: sure, discovery: 0.0, churn: 1.0, ..small() },
        Config { users: 1, events_per_day: 0.01, items_per_cluster: 1, ..small() },
        Config { users: 2, events_per_day: 1_000.0, days: 1, ..small() },
        Config { start: NaiveDate::from_ymd_opt(1970, 1, 1).unwrap(), days: 1, ..small() },
        Config { start: NaiveDate::from_ymd_opt(2024, 2, 27).unwrap(), ..small() },
    ] {
        let dir = written(&config);
        let log = log(dir.path(), &config);
        assert!(log.iter().all(|row| (1..=config.clusters).contains(&row.cluster.0)), "{config:?}");
        let mean = f64::from(config.users) * config.events_per_day * f64::from(config.days);
        assert!((log.len() as f64 - mean).abs() < 5.0 * mean.sqrt() + 1.0, "{} rows of {config:?}", log.len());
    }
}

#[test]
fn engagement_tells_interests_from_noise() {
    let config = Config { users: 1_000, ..small() };
    let dir = written(&config);
    let log = log(dir.path(), &config);
    let Engagement { noise, interest, by_chance } = config.engagement;
    let positive = log.iter().filter(|row| row.is_positive()).count() as f64 / log.len() as f64;
    let least = (1.0 - noise) * interest + noise * by_chance;
    assert!(positive > least && positive < 1.0 - noise + noise * by_chance, "{positive}");

    // An interest is watched again; what was watched once and never positively is noise.
    let mut events: HashMap<(i64, ClusterId), Vec<&Row>> = HashMap::new();
    log.iter().for_each(|row| events.entry((row.user, row.cluster)).or_default().push(row));
    let share = |rows: &dyn Fn(&[&Row]) -> bool| {
        let rows: Vec<&Row> = events.values().filter(|of| rows(of)).flatten().copied().collect();
        rows.iter().filter(|row| row.is_positive()).count() as f64 / rows.len() as f64
    };
    assert!(share(&|rows| rows.len() >= 3) > 0.8);
    let negative = log.iter().filter(|row| !row.is_positive());
    assert!(negative.clone().all(|row| row.watch_ratio < 0.8));
    assert!(log.iter().any(|row| row.is_positive() && row.watch_ratio < 0.8), "some are liked though cut short");

    let pure = Engagement { noise: 1.0, interest: 1.0, by_chance: 0.1 };
    let dir = written(&Config { engagement: pure, ..config.clone() });
    let log = super::log(dir.path(), &config);
    let chance = log.iter().filter(|row| row.is_positive()).count() as f64 / log.len() as f64;
    assert!((chance - 0.1).abs() < 0.01, "{chance}");
}

#[test]
fn successors_of_pairs_beat_popularity() {
    let config = Config { users: 3_000, days: 10, clusters: 40, drift: Drift::None {}, ..Config::default() };
    let dir = written(&config);
    let log = log(dir.path(), &config);
    let (mut counts, mut popular) = (HashMap::<_, HashMap<ClusterId, u32>>::new(), HashMap::<ClusterId, u32>::new());
    let (mut by_pair, mut by_popularity, mut asked) = (0, 0, 0);
    let best = |counts: &HashMap<ClusterId, u32>, met: &[ClusterId]| {
        let novel = counts.iter().filter(|(cluster, _)| !met.contains(cluster));
        novel.max_by_key(|&(cluster, count)| (*count, Reverse(*cluster))).map(|(&cluster, _)| cluster)
    };
    let sequences: BTreeMap<_, _> = sequences(&log).into_iter().collect();
    for (user, sequence) in sequences {
        let sequence: Vec<ClusterId> = sequence.into_iter().map(|met| met.0).collect();
        sequence.iter().for_each(|&cluster| *popular.entry(cluster).or_default() += 1);
        for at in 2..sequence.len() {
            let (pair, next, met) = ((sequence[at - 2], sequence[at - 1]), sequence[at], &sequence[..at]);
            if user < 4_000 {
                *counts.entry(pair).or_default().entry(next).or_default() += 1;
            } else {
                asked += 1;
                by_pair += u32::from(counts.get(&pair).and_then(|counts| best(counts, met)) == Some(next));
                by_popularity += u32::from(best(&popular, met) == Some(next));
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
    assert!(by_pair > 3 * by_popularity, "{by_pair} against {by_popularity} of {asked}");
}
