//! The lookup against a naive model, and the rules one by one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use segue::ids::ClusterId;
use segue::lookup::{
    Answer, ClusterSet, DEFAULT_MAX_HISTORY, LookupError, Prediction, Query, Rules, Scratch, lookup, lookup_batch,
};
use segue::table::{BuildLimits, Candidate, Shape, Table};

use crate::support::{Rows, build, popular, retrieved, taxonomy, verified};

const CLUSTERS: u32 = 12;

#[derive(Debug)]
struct World {
    table: Table<Vec<u8>>,
    rows: BTreeMap<Vec<u32>, Vec<Candidate>>,
    popular: Vec<Candidate>,
    k: usize,
}

prop_compose! {
    fn worlds()(k in 1usize..=4, width in 1usize..=5)(
        rows in btree_map(vec(0..CLUSTERS, 1..=k), vec((0..CLUSTERS, any::<u16>()), 1..=width), 0..60),
        popular_ids in btree_set(0..CLUSTERS, 0..CLUSTERS as usize), k in Just(k), width in Just(width),
    ) -> World {
        let rows: Rows = rows.into_iter().filter_map(|(key, row)| {
            let distinct = (1..key.len()).all(|at| !key[..at].contains(&key[at]));
            let mut candidates: Vec<Candidate> = Vec::new();
            for (id, score) in row {
                let known = key.contains(&id) || candidates.iter().any(|seen| seen.cluster.0 == id);
                candidates.extend((!known).then_some(retrieved(id, score)));
            }
            (distinct && !candidates.is_empty()).then_some((key, candidates))
        }).collect();
        let popular: Vec<_> = popular_ids.into_iter().rev().map(|id| popular(id, 1_000 - id as u16)).collect();
        let bytes = build(&taxonomy(0..CLUSTERS), Shape { k, width }, &rows, &popular, BuildLimits::default());
        World { table: verified(bytes), rows: rows.into_iter().collect(), popular, k }
    }
}

/// The definition, word by word.
fn model(world: &World, query: Query<'_>, blocked: &BTreeSet<u32>) -> (u32, Vec<Prediction>) {
    let known: Vec<u32> = query.history.iter().copied().filter(|&id| id < CLUSTERS).collect();
    let last_place = |at: usize| !known[at + 1..].contains(&known[at]);
    let distinct: Vec<u32> = (0..known.len()).filter(|&at| last_place(at)).map(|at| known[at]).collect();
    let recent = &distinct[distinct.len().saturating_sub(world.k)..];
    let keys = (0..recent.len()).map(|from| &recent[from..]).filter(|key| world.rows.contains_key(*key));
    let keys: Vec<&[u32]> = keys.collect();
    let levels = keys.iter().map(|key| (key.len() as u32, &world.rows[*key])).chain([(0, &world.popular)]);
    let mut predictions: Vec<Prediction> = Vec::new();
    for (level, candidate) in levels.flat_map(|(level, row)| row.iter().map(move |candidate| (level, candidate))) {
        let id = candidate.cluster.0;
        let seen = query.history.contains(&id) || query.exclude.contains(&id) || blocked.contains(&id);
        if !seen && predictions.iter().all(|earlier| earlier.cluster.0 != id) {
            let Candidate { cluster, score, source } = *candidate;
            predictions.push(Prediction { cluster, score, source, level });
        }
    }
    predictions.truncate(query.limit.max(1) as usize);
    (keys.first().map_or(0, |key| key.len() as u32), predictions)
}

proptest! {
    #[test]
    fn answers_are_the_models(
        world in worlds(),
        queries in vec((vec(0..CLUSTERS + 3, 0..10), vec(0..CLUSTERS + 3, 0..4), 0u32..=5, btree_set(0..CLUSTERS, 0..4)), 1..20),
    ) {
        // One scratch for all: nothing of one question may reach the next.
        let mut scratch = Scratch::default();
        for (history, exclude, limit, blocked) in &queries {
            let limit = (*limit).min(world.table.width() as u32);
            let query = Query { history, limit, exclude };
            let blocklist = ClusterSet::of(blocked.iter().map(|&id| world.table.index_of(ClusterId(id)).unwrap()));
            let rules = Rules { blocklist: &blocklist, max_history: DEFAULT_MAX_HISTORY };
            let Answer { predictions, matched, unknown } = lookup(&world.table, rules, query, &mut scratch).unwrap();
            prop_assert_eq!((matched, predictions.to_vec()), model(&world, query, blocked));
            prop_assert_eq!(unknown as usize, history.iter().filter(|&&id| id >= CLUSTERS).count());
        }
    }

    #[test]
    fn a_batch_is_answered_as_its_questions_are(
        world in worlds(),
        questions in vec((vec(0..CLUSTERS + 3, 0..10), vec(0..CLUSTERS + 3, 0..4), 0u32..=6), 0..60),
    ) {
        let rules = Rules { blocklist: &ClusterSet::default(), max_history: 8 };
        let queries = questions.iter().map(|(history, exclude, limit)| Query { history, limit: *limit, exclude });
        let (mut together, mut scratch) = (Vec::new(), Scratch::default());
        let told = |answer: Result<Answer<'_>, LookupError>| answer.map(|answer| answer.predictions.to_vec());
        let taken: Result<(), ()> = lookup_batch(&world.table, rules, queries.clone(), &mut scratch, |answer| {
            together.push(told(answer));
            Ok(())
        });
        prop_assert_eq!(taken, Ok(()));
        let one_by_one: Vec<_> = queries.map(|query| told(lookup(&world.table, rules, query, &mut scratch))).collect();
        prop_assert_eq!(together, one_by_one);
    }
}

/// k = 2, width 3: keys (1, 2), (2) and (3), popular 9, 8, 7, 6, 5, 4.
fn small() -> Table<Vec<u8>> {
    let rows = vec![
        (vec![1, 2], vec![retrieved(3, 50), retrieved(4, 40)]),
        (vec![2], vec![retrieved(4, 30), retrieved(5, 20), retrieved(1, 10)]),
        (vec![3], vec![retrieved(1, 10)]),
    ];
    let popular: Vec<_> = (4..=9).rev().map(|id| popular(id, id as u16)).collect();
    verified(build(&taxonomy(1..=9), Shape { k: 2, width: 3 }, &rows, &popular, BuildLimits::default()))
}

#[track_caller]
fn check(history: &[u32], limit: u32, exclude: &[u32], matched: u32, expected: &[(u32, u32)]) {
    let (table, blocklist, mut scratch) = (small(), ClusterSet::default(), Scratch::default());
    let rules = Rules { blocklist: &blocklist, max_history: 8 };
    let answer = lookup(&table, rules, Query { history, limit, exclude }, &mut scratch).unwrap();
    let found: Vec<_> = answer.predictions.iter().map(|p| (p.cluster.0, p.level)).collect();
    assert_eq!((answer.matched, found.as_slice()), (matched, expected));
}

#[test]
fn levels_fill_down_the_chain() {
    check(&[1, 2], 3, &[], 2, &[(3, 2), (4, 2), (5, 1)]);
    check(&[7, 1, 2], 1, &[], 2, &[(3, 2)]);
    check(&[9, 2], 3, &[], 1, &[(4, 1), (5, 1), (1, 1)]);
    check(&[6, 3], 3, &[], 1, &[(1, 1), (9, 0), (8, 0)]);
}

#[test]
fn an_empty_or_unknown_history_is_answered_from_popular() {
    check(&[], 0, &[], 0, &[(9, 0)]);
    check(&[77, 1_000_000], 2, &[], 0, &[(9, 0), (8, 0)]);
}

#[test]
fn a_cluster_counts_at_its_latest_place_and_unknown_ones_not_at_all() {
    check(&[2, 1, 77, 2, 2], 1, &[], 2, &[(3, 2)]);
    check(&[2, 1], 1, &[], 0, &[(9, 0)]);
}

#[test]
fn matched_tells_of_the_key_even_if_all_of_it_is_skipped() {
    check(&[3, 4, 1, 2], 2, &[], 2, &[(5, 1), (9, 0)]);
    check(&[1, 2], 3, &[3, 4, 5, 9, 8], 2, &[(7, 0), (6, 0)]);
}

#[test]
fn the_blocklist_is_never_predicted() {
    let (table, mut scratch) = (small(), Scratch::default());
    let blocklist = ClusterSet::of([3, 9].map(|id| table.index_of(ClusterId(id)).unwrap()));
    let rules = Rules { blocklist: &blocklist, max_history: 8 };
    let answer = lookup(&table, rules, Query { history: &[1, 2], limit: 3, exclude: &[] }, &mut scratch).unwrap();
    let found: Vec<_> = answer.predictions.iter().map(|p| p.cluster.0).collect();
    assert_eq!(found, [4, 5, 8]);
}

#[test]
fn limits_are_the_askers_to_keep() {
    let (table, blocklist, mut scratch) = (small(), ClusterSet::default(), Scratch::default());
    let rules = Rules { blocklist: &blocklist, max_history: 8 };
    let mut ask = |history: &[u32], limit, exclude: &[u32]| {
        lookup(&table, rules, Query { history, limit, exclude }, &mut scratch).map(|answer| answer.matched)
    };
    assert_eq!(ask(&[1, 2], 4, &[]), Err(LookupError::Limit { limit: 4, width: 3 }));
    assert_eq!(ask(&[1; 9], 1, &[]), Err(LookupError::TooLong { field: "history", len: 9, max: 8 }));
    assert_eq!(ask(&[], 1, &[1; 9]), Err(LookupError::TooLong { field: "exclude", len: 9, max: 8 }));
    assert_eq!(ask(&[1; 8], 3, &[]), Ok(0));
}
