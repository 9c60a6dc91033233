//! The sequence of experiments' changes: kept whole, in order, whoever writes.

use segue::store::{ExperimentAction, ExperimentChange, NewExperimentChange, Store, StoreError};
use serde_json::json;

use super::fixture::*;

fn set(name: &str) -> NewExperimentChange {
    let (action, experiment) = (ExperimentAction::Set, name.to_owned());
    NewExperimentChange { action, experiment, settings: json!({"of": name}) }
}

fn add(store: &Store, name: &str, why: &str) -> ExperimentChange {
    store.change_experiments(&note(why), |_| Ok::<_, StoreError>(set(name))).unwrap()
}

#[test]
fn every_change_is_kept_and_read_from_where_one_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(store.experiment_changes(0).unwrap().is_empty());
    let first = add(&store, "a", "one");
    let second = add(&store, "b", "two");
    assert_eq!((first.seq, second.seq, second.who.as_str(), second.why.as_str()), (1, 2, "tester", "two"));
    assert_eq!(second.settings, json!({"of": "b"}));
    assert_eq!(store.experiment_changes(0).unwrap(), [first, second.clone()]);
    assert_eq!(store.experiment_changes(1).unwrap(), [second]);
    assert!(store.experiment_changes(2).unwrap().is_empty());
    assert_eq!(listing(&dir.path().join("experiments")), ["1.json", "2.json"]);
    assert!(listing(&dir.path().join("drafts")).is_empty());
}

#[test]
fn a_refusal_adds_nothing_and_comes_after_all_that_was_added() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, "a", "first");
    let refused = store.change_experiments(&note("no"), |changes| {
        assert_eq!(changes.len(), 1);
        Err(StoreError::NoChannel { name: changes[0].experiment.clone() })
    });
    assert_eq!(refused.unwrap_err().to_string(), "there is no channel `a`: publish a version to it first");
    let long = store.change_experiments(&note(&"x".repeat(5_000)), |_| Ok::<_, StoreError>(set("b")));
    assert!(matches!(long, Err(StoreError::NoteTooLong { field: "why", .. })), "{long:?}");
    assert_eq!(store.experiment_changes(0).unwrap().len(), 1);
}

/// Each adds a name only where it is not there yet: a check that held must still hold when the change is added.
#[test]
fn writers_who_meet_each_see_what_the_others_did() {
    let dir = tempfile::tempdir().unwrap();
    let stores: Vec<Store> = (0..4).map(|_| open(dir.path())).collect();
    let done: usize = std::thread::scope(|scope| {
        let run = |store: &Store| {
            let once = |name: String| {
                store.change_experiments(&note("met"), |changes| {
                    match changes.iter().any(|change| change.experiment == name) {
                        true => Err(StoreError::NoChannel { name: name.clone() }),
                        false => Ok(set(&name)),
                    }
                })
            };
            (0..25).filter(|round| once(format!("e{round}")).is_ok()).count()
        };
        let threads: Vec<_> = stores.iter().map(|store| scope.spawn(move || run(store))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let changes = stores[0].experiment_changes(0).unwrap();
    assert_eq!((done, changes.len()), (25, 25), "each name once, whoever was quicker");
    assert!(changes.iter().map(|change| change.seq).eq(1..=25));
}

#[test]
fn what_is_missing_or_foreign_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    (0..3).for_each(|round| drop(add(&store, "a", &format!("{round}"))));
    let folder = dir.path().join("experiments");
    let told = |known| store.experiment_changes(known).unwrap_err().to_string();
    std::fs::rename(folder.join("2.json"), dir.path().join("away")).unwrap();
    assert!(told(0).contains("experiments/2.json is damaged (it is missing)"), "{}", told(0));
    std::fs::write(folder.join("2.json"), b"{\"seq\": 2").unwrap();
    assert!(told(0).contains("experiments/2.json is damaged"), "{}", told(0));
    assert!(store.experiment_changes(3).unwrap().is_empty(), "who knows them needs none of them");
    std::fs::remove_file(folder.join("3.json")).unwrap();
    assert!(told(3).contains("it ends at 2, and went on to 3 before"), "{}", told(3));
    std::fs::write(folder.join("notes.txt"), b"").unwrap();
    assert!(told(0).contains("notes.txt is not a change of an experiment"), "{}", told(0));
}
