//! Experiments that calls declare, beside those of the config.

use std::path::Path;

use proptest::prelude::*;
use segue::experiment::{Config, DeclareError, Declared, Experiments, Listed, MAX_EXPERIMENTS, Phase, Source};
use segue::store::{Note, Store};
use serde_json::{Value, json};

use crate::store::fixture;

/// A store with channels of these names.
fn store(dir: &Path, channels: &[&str]) -> Store {
    let store = fixture::open(dir);
    let version = fixture::add(&store, 1);
    channels.iter().for_each(|channel| drop(fixture::publish(&store, channel, version)));
    store
}

const CHANNELS: [&str; 4] = ["main", "control", "fresh", "other"];

/// An experiment on `channel` between `control` and `fresh`, but for what `change` does.
fn config(name: &str, salt: &str, channel: &str, change: impl FnOnce(&mut Value)) -> Config {
    let mut json = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
    (json["name"], json["salt"], json["channel"]) = (json!(name), json!(salt), json!(channel));
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

fn plain(name: &str, salt: &str, channel: &str) -> Config {
    config(name, salt, channel, |_| {})
}

fn declared(configured: &[Config], store: &Store) -> Declared {
    Declared::new(Experiments::new(configured).unwrap(), store.clone())
}

fn note(why: &str) -> Note {
    Note { who: "ada".into(), why: why.into() }
}

/// What runs, by name.
fn running(declared: &Declared) -> Vec<String> {
    let standing = declared.standing(&declared.ledger().unwrap());
    standing.experiments.configs().map(|config| config.name.clone()).collect()
}

#[test]
fn what_is_set_runs_until_it_is_ended_and_all_of_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &CHANNELS);
    let declared = declared(&[plain("fixed", "f", "other")], &store);
    let set = declared.set(&plain("rag", "r", "main"), &note("first")).unwrap();
    assert_eq!((set.seq, set.experiment.as_str(), set.who.as_str()), (1, "rag", "ada"));
    assert_eq!(running(&declared), ["fixed", "rag"]);
    let half = config("rag", "r", "main", |json| json["traffic"] = json!(0.5));
    declared.set(&half, &note("less of it")).unwrap();
    assert_eq!(running(&declared), ["fixed", "rag"], "replaced, not added");

    let listing = declared.list(0, 0).unwrap();
    let [fixed, rag] = listing.experiments.as_slice() else { panic!("{listing:?}") };
    assert_eq!((fixed.source, fixed.phase, &fixed.declaration), (Source::Config, Phase::Running, &None));
    assert_eq!((rag.source, rag.settings.as_ref().unwrap()), (Source::Call, &half));
    assert_eq!(rag.declaration.as_ref().unwrap().why, "less of it");

    let end = declared.end("rag", &note("it has won")).unwrap();
    assert_eq!((end.seq, end.settings["traffic"].as_f64()), (3, Some(0.5)), "what it had when it was ended");
    assert_eq!(running(&declared), ["fixed"]);
    let changes = declared.list(0, 0).unwrap().changes;
    let told: Vec<_> = changes.iter().map(|one| (one.seq, one.action.to_string(), one.why.as_str())).collect();
    assert_eq!(told, [(3, "end".into(), "it has won"), (2, "set".into(), "less of it"), (1, "set".into(), "first")]);
    let pages = [declared.list(2, 0), declared.list(2, 2)].map(|page| page.unwrap().changes);
    assert_eq!(pages.concat(), changes, "page by page");
    let ever = declared.ever().unwrap();
    let ended = ever.iter().find(|config| config.name == "rag").unwrap();
    assert_eq!(ended.end, Some(end.at), "an analysis reads up to there");
}

#[test]
fn every_fault_is_told_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &CHANNELS);
    let declared = declared(&[plain("fixed", "f", "other")], &store);
    declared.set(&plain("rag", "r", "main"), &note("")).unwrap();
    let told = |config: Config| declared.set(&config, &note("")).unwrap_err().to_string();
    let arms = |change: Value| config("new", "n", "control", |json| json["arms"] = change);
    let arm = |name: &str, weight: f64, channel: &str| json!({"name": name, "weight": weight, "channel": channel});
    let many: Vec<Value> = (0..33).map(|at| arm(&format!("a{at}"), 1.0 / 33.0, "main")).collect();
    for (config, expected) in [
        (plain("fixed", "f", "other"), "`fixed` is declared by [[experiments]] of the config"),
        (plain("new", "n", "main"), "experiments `rag` and `new` both take over channel `main`"),
        (plain("new", "n", "other"), "`fixed` and `new` both take over channel `other`"),
        (plain("new", "n", "other"), "the other one is declared by [[experiments]] of the config"),
        (plain("new", "r", "control"), "`rag` and `new` have the same salt"),
        (plain("new", "f", "control"), "`fixed` and `new` have the same salt"),
        (plain("rag", "another", "main"), "`rag` has the salt `r`"),
        (plain("new", "n", "nowhere"), "channel names channel `nowhere`, which nothing was published to"),
        (arms(json!([arm("a", 0.5, "control"), arm("b", 0.5, "frsh")])), "arm `b` names channel `frsh`"),
        (arms(json!([arm("a", 0.5, "control"), arm("b", 0.5, "frsh")])), "control, fresh, main, other"),
        (arms(json!([arm("a", 1.0, "control")])), "1 arm(s)"),
        (arms(json!([arm("a", 0.5, "control"), arm("b", 0.4, "fresh")])), "add up to 0.9"),
        (arms(json!([arm("a", 1.5, "control"), arm("b", -0.5, "fresh")])), "weight 1.5"),
        (arms(json!(many)), "33 arms, at most 32"),
        (plain(&"n".repeat(129), "n", "control"), "name has 129 bytes, at most 128"),
        (config("new", "n", "control", |json| json["traffic"] = json!(0.0)), "traffic is 0"),
        (
            config("new", "n", "control", |json| {
                (json["start"], json["end"]) = (json!("2026-03-02T00:00:00Z"), json!("2026-03-01T00:00:00Z"));
            }),
            "before or when it starts",
        ),
    ] {
        let told = told(config.clone());
        assert!(told.contains(expected), "{expected}: {told}\n{config:?}");
    }
    let nan = Config { traffic: f64::NAN, ..plain("new", "n", "control") };
    assert!(told(nan).contains("traffic is NaN"));
    let end = |name: &str| declared.end(name, &note("")).unwrap_err();
    assert!(end(&"n".repeat(1_000_000)).to_string().len() < 300, "a long name is not told whole");
    assert!(matches!(end("fixed"), DeclareError::Configured(_)), "{}", end("fixed"));
    assert_eq!(end("rgg").to_string(), "no call declared an experiment `rgg` that still runs; there are: rag");
    assert_eq!(store.experiment_changes(0).unwrap().len(), 1);
    declared.end("rag", &note("")).unwrap();
    assert!(end("rag").to_string().ends_with("there is none"), "{}", end("rag"));
    assert!(told(plain("rag", "another", "main")).contains("has the salt `r`"), "though it has ended");
    declared.set(&plain("new", "n", "main"), &note("its channel is free")).unwrap();
}

#[test]
fn a_server_takes_so_many_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..=MAX_EXPERIMENTS).map(|at| format!("c{at}")).collect();
    let channels: Vec<&str> = names.iter().map(String::as_str).chain(["control", "fresh"]).collect();
    let store = store(dir.path(), &channels);
    let configured: Vec<Config> = names[1..MAX_EXPERIMENTS].iter().map(|name| plain(name, name, name)).collect();
    let declared = declared(&configured, &store);
    let set = |name: &str| declared.set(&plain(name, name, name), &note(""));
    set(&names[0]).unwrap();
    let told = set(&names[MAX_EXPERIMENTS]).unwrap_err().to_string();
    assert!(told.contains("one experiment more than the 100"), "{told}");
    set(&names[0]).unwrap();
}

/// The config was changed after the call, or is another server's.
#[test]
fn where_the_config_conflicts_it_wins_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &CHANNELS);
    let before = declared(&[], &store);
    for (name, salt, channel) in [("rag", "r", "main"), ("both", "b", "other"), ("well", "w", "control")] {
        before.set(&plain(name, salt, channel), &note("")).unwrap();
    }
    let after = declared(&[plain("fixed", "f", "main"), plain("both", "x", "fresh")], &store);
    assert_eq!(running(&after), ["fixed", "both", "well"]);
    let listing = after.list(0, 0).unwrap();
    let refused = |listed: &Listed| (listed.phase == Phase::Refused).then(|| listed.refused.clone().unwrap());
    let told: Vec<String> = listing.experiments.iter().filter_map(refused).collect();
    assert_eq!(told.len(), 2, "{listing:#?}");
    assert!(told[0].contains("`fixed` and `rag` both take over channel `main`"), "{told:?}");
    assert!(told[1].contains("two experiments are named `both`"), "{told:?}");
    assert_eq!(running(&before), ["rag", "both", "well"], "elsewhere they run");
    let other = plain("new", "r", "more");
    let version = fixture::add(&store, 2);
    fixture::publish(&store, "more", version);
    let told = after.set(&other, &note("")).unwrap_err().to_string();
    assert!(told.contains("`rag` and `new` have the same salt"), "refused here, it runs elsewhere: {told}");
    // What is refused can be ended, where its name is not the config's.
    after.end("rag", &note("in the way")).unwrap();
    assert_eq!(running(&before), ["both", "well"]);
}

#[test]
fn settings_of_a_newer_build_are_refused_and_can_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), &CHANNELS);
    let declared = declared(&[], &store);
    let change = declared.set(&plain("rag", "r", "main"), &note("")).unwrap();
    let path = dir.path().join("experiments/1.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"salt\"", "\"pepper\"")).unwrap();
    let standing = declared.standing(&declared.ledger().unwrap());
    assert!(standing.experiments.is_empty());
    assert!(
        standing.refused[0].why.contains("`rag` in the store cannot be read (unknown field `pepper`"),
        "{standing:?}"
    );
    assert_eq!(declared.list(0, 0).unwrap().experiments[0].settings, None);
    declared.set(&plain("rag", "r", "main"), &note("again")).unwrap();
    assert_eq!((change.seq, running(&declared)), (1, vec!["rag".to_owned()]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Through a call: units move only to or from the arm whose weight changed, never between the others.
    #[test]
    fn a_changed_weight_moves_no_unit_between_the_others(first in 0.05..0.9, second in 0.05..0.9, share in 0.1..0.9) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), &CHANNELS);
        let declared = declared(&[], &store);
        let dealt = |weight: f64| {
            let rest = 1.0 - weight;
            let arms = [("fresh", weight), ("control", rest * share), ("other", rest * (1.0 - share))];
            let mut json = super::assign::json(&arms);
            json["traffic"] = json!(0.7);
            declared.set(&serde_json::from_value(json).unwrap(), &note("")).unwrap();
            let experiments = declared.standing(&declared.ledger().unwrap()).experiments;
            let arm = |unit: usize| experiments.assign("main", &format!("user {unit}"), 0).map(|at| at.arm.to_owned());
            (0..2_000).map(arm).collect::<Vec<_>>()
        };
        let (before, after) = (dealt(first), dealt(second));
        let fresh = |arm: &Option<String>| arm.as_deref() == Some("fresh");
        for (unit, (before, after)) in before.iter().zip(&after).enumerate() {
            let may = if second > first { fresh(after) } else { fresh(before) };
            prop_assert!(before == after || may, "user {unit}: {before:?} -> {after:?}, {first} -> {second}");
        }
    }
}
