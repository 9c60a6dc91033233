//! A replay beside the plainest program that could stand for it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use segue::replay::{Refresh, Rows, Settings, Step, Version};

use super::{replayed, settings, written};
use crate::count::{run, taxonomy};

/// `(user, cluster, day)`.
type Row = (u32, u32, i64);

/// When each user first met each cluster from a day on, before another, in order.
fn sequences(rows: &[Row], from: i64, to: i64) -> BTreeMap<u32, Vec<(i64, u32)>> {
    let mut firsts: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    for &(user, cluster, day) in rows.iter().filter(|&&(.., day)| (from..to).contains(&day)) {
        let first = firsts.entry((user, cluster)).or_insert(day);
        *first = day.min(*first);
    }
    let mut sequences: BTreeMap<u32, Vec<(i64, u32)>> = BTreeMap::new();
    firsts.iter().for_each(|(&(user, cluster), &day)| sequences.entry(user).or_default().push((day, cluster)));
    sequences.values_mut().for_each(|sequence| sequence.sort_unstable());
    sequences
}

/// What is served after `history` from what was counted in `sequences`: keys of two, of one, popular.
fn served(sequences: &BTreeMap<u32, Vec<(i64, u32)>>, history: &[u32], n: usize) -> Vec<u32> {
    let counted: Vec<&Vec<(i64, u32)>> = sequences.values().filter(|sequence| sequence.len() > 1).collect();
    let ranked = |counts: BTreeMap<u32, u64>| {
        let mut ranked: Vec<(u32, u64)> = counts.into_iter().collect();
        ranked.sort_by_key(|&(cluster, count)| (std::cmp::Reverse(count), cluster));
        ranked.into_iter().map(|(cluster, _)| cluster).collect::<Vec<u32>>()
    };
    let mut answer: Vec<u32> = Vec::new();
    for level in [2, 1, 0] {
        let mut counts = BTreeMap::new();
        for sequence in counted.iter().filter(|_| history.len() >= level) {
            for place in level..sequence.len() {
                let key = sequence[place - level..place].iter().map(|&(_, cluster)| cluster);
                if key.eq(history[history.len() - level..].iter().copied()) {
                    *counts.entry(sequence[place].1).or_default() += 1;
                }
            }
        }
        // A table is 8 wide; popular is not.
        let width = if level == 0 { usize::MAX } else { 8 };
        let novel: Vec<u32> = ranked(counts).into_iter().take(width).collect();
        let novel = novel.into_iter().filter(|cluster| !history.contains(cluster));
        for cluster in novel {
            if answer.len() < n && !answer.contains(&cluster) {
                answer.push(cluster);
            }
        }
    }
    answer
}

/// Positions, hits of the first, hits of the first five: tables counted every 7 days from the 30 before. So many of the
/// clusters that were popular at the start are no targets.
fn naive(rows: &[Row], from: i64, to: i64, beyond: usize) -> (u64, u64, u64) {
    let no_targets = served(&sequences(rows, from - 30, from), &[], beyond);
    let (mut positions, mut first, mut five) = (0, 0, 0);
    for user in sequences(rows, i64::MIN, i64::MAX).values() {
        for place in 1..user.len() {
            let at = user[place].0;
            if !(from..to).contains(&at) {
                continue;
            }
            let history: Vec<u32> = user[..place].iter().map(|&(_, cluster)| cluster).collect();
            let within = user[place..].iter().filter(|&&(day, _)| day - at <= 7).map(|&(_, cluster)| cluster);
            let truth: BTreeSet<u32> = within.filter(|cluster| !no_targets.contains(cluster)).collect();
            if truth.is_empty() {
                continue;
            }
            let refreshed = from + (at - from) / 7 * 7;
            let answer = served(&sequences(rows, refreshed - 30, refreshed), &history, 5);
            positions += 1;
            first += u64::from(answer.first().is_some_and(|cluster| truth.contains(cluster)));
            five += u64::from(answer.iter().any(|cluster| truth.contains(cluster)));
        }
    }
    (positions, first, five)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn a_replay_is_what_the_plain_program_says(
        rows in prop::collection::vec((0..12_u32, 0..9_u32, 0..60_i64), 60..300),
        beyond in 0..4_usize,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let config = written(directory.path(), &rows);
        let (positions, first, five) = naive(&rows, 32, 60, beyond);
        let version = Version::Counted { refresh: Refresh::Every(Step::Days(7)), rows: Rows::Configured };
        let result = run(replayed(&config, &taxonomy(9), &Settings { beyond, ..settings(32, 60) }, vec![version]));
        if positions == 0 {
            prop_assert!(result.is_err());
            return Ok(());
        }
        let overall = &result.unwrap().versions[0].overall;
        let hits = |rate: f64| (rate * positions as f64).round() as u64;
        let found = (overall.positions, hits(overall.served_1.value), hits(overall.served_n.value));
        prop_assert_eq!(found, (positions, first, five));
    }
}
