//! What may go live: versions that passed, and those that someone approved.

use std::time::Duration;

use segue::ids::VersionId;
use segue::store::live::{LiveConfig, Watcher};
use segue::store::{Admit, Config, Provenance, State, Store, TaxonomyChange};

use super::fixture::*;

/// Adds a version in this state; `None` judges it not at all.
fn add_in(store: &Store, state: Option<State>) -> VersionId {
    let mut draft = store.draft().unwrap();
    build(draft.table(), "c", 1);
    if let Some(state) = state {
        draft.judge(&judgement(state)).unwrap();
    }
    store.add(draft, Provenance::default()).unwrap().version
}

fn why_not(store: &Store, version: VersionId) -> String {
    store.publish("main", version, &note("please"), TaxonomyChange::Refused).unwrap_err().to_string()
}

#[test]
fn nothing_goes_live_without_a_pass_or_an_approval() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let passed = add_in(&store, Some(State::Passed));
    publish(&store, "main", passed);
    for (state, says) in
        [(Some(State::Held), "v2 is held by its gates (the gates say so)"), (None, "v3 carries neither")]
    {
        let version = add_in(&store, state);
        let error = why_not(&store, version);
        assert!(error.contains(says) && error.contains("versions approve"), "{error}");
        assert_eq!(store.channel("main").unwrap().unwrap().version, passed);
        store.approve(version, &note("I looked at it")).unwrap();
        assert_eq!(store.state(version).unwrap(), State::Approved);
        assert_eq!(publish(&store, "main", version).version, version);
        publish(&store, "main", passed);
    }
}

#[test]
fn a_rejected_version_is_not_gone_back_to() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [first, second] = [add_in(&store, Some(State::Passed)), add_in(&store, Some(State::Passed))];
    publish(&store, "main", first);
    publish(&store, "main", second);
    let live = store.reject(second, &note("bad")).unwrap_err().to_string();
    assert!(live.contains("`main` points at v2"), "{live}");
    store.rollback("main", None, &note("bad")).unwrap();
    store.reject(second, &note("it forgot jazz")).unwrap();
    assert!(why_not(&store, second).contains("rejected (it forgot jazz)"));
    assert!(store.rollback("main", Some(second), &note("?")).is_err());
    store.approve(second, &note("jazz is back")).unwrap();
    assert_eq!(store.rollback("main", Some(second), &note("!")).unwrap().version, second);
}

#[test]
fn every_judgement_is_kept_with_who_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let version = add_in(&store, Some(State::Held));
    store.reject(version, &note("no")).unwrap();
    store.approve(version, &note("yes")).unwrap();
    let judgements = store.judgements(version).unwrap();
    let told: Vec<_> = judgements.iter().map(|one| (one.seq, one.state, one.who.as_str(), one.why.as_str())).collect();
    let expected = [
        (1, State::Held, "tester", "the gates say so"),
        (2, State::Rejected, "tester", "no"),
        (3, State::Approved, "tester", "yes"),
    ];
    assert_eq!(told, expected);
    for (version, why, says) in [(version, " ", "say why"), (VersionId(9), "yes", "no version v9")] {
        let error = store.approve(version, &note(why)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(store.judgements(version).unwrap().len(), 3);
}

#[test]
fn two_who_judge_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let version = add_in(&store, None);
    std::thread::scope(|scope| {
        for judge in 0..8 {
            let store = store.clone();
            scope.spawn(move || store.approve(version, &note(&format!("judge {judge}"))).unwrap());
        }
    });
    let mut whys: Vec<_> = store.judgements(version).unwrap().into_iter().map(|one| one.why).collect();
    whys.sort();
    assert_eq!(whys, (0..8).map(|judge| format!("judge {judge}")).collect::<Vec<_>>());
}

#[test]
fn a_server_takes_what_is_judged_unless_its_config_takes_any() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let lenient = Store::open(&Config { path, admit: Admit::Any, ..Config::default() }).unwrap();
    let version = add_in(&lenient, Some(State::Held));
    publish(&lenient, "main", version);

    let strict = open(dir.path());
    assert!(strict.snapshot("main").unwrap_err().to_string().contains("held"));
    let config = LiveConfig { poll: Duration::from_secs(3600), ..LiveConfig::default() };
    let (watcher, live) = Watcher::start(strict.clone(), config.clone()).unwrap();
    let refused = watcher.reloader().blocking_reload().refused;
    assert!(live.load().is_empty() && refused.len() == 1 && refused[0].contains("is held by its gates"), "{refused:?}");
    strict.approve(version, &note("fine")).unwrap();
    assert_eq!(watcher.reloader().blocking_reload().refused, [] as [String; 0]);
    assert_eq!(live.load().get("main").unwrap().version, version);

    let other = add_in(&lenient, None);
    publish(&lenient, "main", other);
    let (watcher, live) = Watcher::start(lenient, config).unwrap();
    assert_eq!(watcher.reloader().blocking_reload().refused, [] as [String; 0]);
    assert_eq!(live.load().get("main").unwrap().version, other);
}
