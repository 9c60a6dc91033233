//! Explanations: found again by key, cut where they are long, and refused where they are damaged.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use segue::ids::{ClusterId, VersionId};
use segue::store::{Explanation, Provenance, Store, Successor};

use super::fixture::*;

fn ids(ids: &[u32]) -> Vec<ClusterId> {
    ids.iter().copied().map(ClusterId).collect()
}

fn explanation(key: &[u32], prompt: &str) -> Explanation {
    let successors = vec![Successor { cluster: ClusterId(7), count: 3 }];
    let prompt = Some(prompt.to_owned());
    Explanation { key: ids(key), seen: 3, successors, prompt, ..Explanation::default() }
}

/// Adds a version with these explanations, in the order asked for.
fn add_explained(store: &Store, explanations: Vec<Explanation>) -> VersionId {
    let mut draft = store.draft().unwrap();
    build(draft.table(), "c", 1);
    let mut writer = draft.explain(2).unwrap();
    explanations.into_iter().for_each(|one| writer.push(one).unwrap());
    writer.finish().unwrap();
    store.add(draft, Provenance::default()).unwrap().version
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Long prompts make many blocks of few keys.
    #[test]
    fn a_history_is_explained_by_its_longest_key(
        keys in prop::collection::btree_map((0..12_u32, prop::option::of(0..12_u32)), 0..9_000_usize, 0..80),
        histories in prop::collection::vec(prop::collection::vec(0..12_u32, 0..4), 40),
    ) {
        let mut model: BTreeMap<(std::cmp::Reverse<usize>, Vec<u32>), Explanation> = BTreeMap::new();
        for ((first, second), len) in keys {
            let key: Vec<u32> = std::iter::once(first).chain(second.filter(|&second| second != first)).collect();
            let explanation = explanation(&key, &"p".repeat(len));
            model.insert((std::cmp::Reverse(key.len()), key), explanation);
        }
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let version = add_explained(&store, model.values().cloned().collect());
        for history in histories {
            let mut latest: Vec<u32> = Vec::new();
            for &cluster in history.iter().rev() {
                if latest.len() < 2 && !latest.contains(&cluster) {
                    latest.insert(0, cluster);
                }
            }
            let mut suffixes = (0..latest.len()).map(|start| latest[start..].to_vec());
            let expected = suffixes.find_map(|key| model.get(&(std::cmp::Reverse(key.len()), key)));
            let found = store.explain(version, &ids(&history)).unwrap();
            prop_assert_eq!(found.as_ref(), expected);
        }
    }
}

#[test]
fn what_is_long_is_cut_and_what_is_out_of_order_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut long = explanation(&[1], &"é".repeat(60_000));
    long.successors = (0..500).map(|id| Successor { cluster: ClusterId(id), count: 1 }).collect();
    let version = add_explained(&store, vec![long]);
    let found = store.explain(version, &ids(&[1])).unwrap().unwrap();
    assert_eq!((found.prompt.unwrap().len(), found.successors.len()), (65_536, 100));

    let draft = store.draft().unwrap();
    let mut writer = draft.explain(2).unwrap();
    writer.push(explanation(&[2, 1], "")).unwrap();
    for (key, says) in
        [(&[2, 1][..], "come after"), (&[1, 9], "come after"), (&[], "0 clusters"), (&[1; 5], "5 clusters")]
    {
        let error = writer.push(explanation(key, "")).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    writer.push(explanation(&[0], "")).unwrap();
}

#[test]
fn versions_without_explanations_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let version = add(&store, 1);
    assert!(store.explain(version, &ids(&[1])).unwrap_err().to_string().contains("v1 has no explanations"));
    assert!(store.explain(VersionId(5), &ids(&[1])).unwrap_err().to_string().contains("no version v5"));
    let empty = add_explained(&store, Vec::new());
    assert_eq!(store.explain(empty, &ids(&[1, 2])).unwrap(), None);
    assert_eq!(store.explain(empty, &[]).unwrap(), None);
}

#[test]
fn damage_anywhere_is_an_error_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let explanations: Vec<_> = (0..40).map(|id| explanation(&[id], &"prompt ".repeat(700))).collect();
    let version = add_explained(&store, explanations.clone());
    let all: Result<Vec<_>, _> = store.explanations(version).unwrap().collect();
    assert_eq!(all.unwrap(), explanations, "block after block, in order");
    let path: PathBuf = store.table_path(version).with_file_name("explain.segue");
    let sound = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (0..sound.len()).step_by(sound.len() / 400 + 1).chain(sound.len() - 40..sound.len()) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, damaged).unwrap();
        for wanted in [&explanations[0], &explanations[39]] {
            match store.explain(version, &wanted.key) {
                Ok(found) => assert_eq!(found.as_ref(), Some(wanted), "at {at}"),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("explain.segue"), "{error}");
                }
            }
        }
    }
    assert!(refused > 40, "{refused}");
    for len in [0, 10, sound.len() / 2, sound.len() - 1] {
        std::fs::write(&path, &sound[..len]).unwrap();
        assert!(store.explain(version, &ids(&[0])).is_err(), "{len}");
    }
}
