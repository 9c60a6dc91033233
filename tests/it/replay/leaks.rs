//! Nothing later than a position is used at it, and a table that knows more is caught.

use std::sync::Arc;

use segue::replay::{Refresh, ReplayError, Rows, Step, Stored, Version};
use segue::table::{BuildLimits, Lineage, Shape, Table, TableBuilder};

use super::{day, replayed, settings, written};
use crate::count::{run, taxonomy};
use crate::support::retrieved;

/// A table that answers the history 1 with 2, counted to a day.
fn stored(name: &str, to: Option<i64>) -> Stored<Vec<u8>> {
    of_lineage(name, &Lineage { window_to: to.map(day), ..Lineage::default() })
}

/// The same, counted to day 30, by a model of the store that was tuned on samples up to a day.
fn tuned(name: &str, to: Option<i64>) -> Stored<Vec<u8>> {
    let settings = [(Lineage::REGISTRY.to_owned(), "m1".to_owned())].into();
    of_lineage(name, &Lineage { window_to: Some(day(30)), tuned_to: to.map(day), settings, ..Lineage::default() })
}

fn of_lineage(name: &str, lineage: &Lineage) -> Stored<Vec<u8>> {
    let (taxonomy, mut file) = (taxonomy(20), std::io::Cursor::new(Vec::new()));
    let limits = BuildLimits::default();
    let mut builder = TableBuilder::new(&mut file, &taxonomy, Shape { k: 2, width: 8 }, limits).unwrap();
    builder.push(&crate::support::key(&[1]), &[retrieved(2, 9)]).unwrap();
    builder.finish(lineage, &[]).unwrap();
    Stored { name: name.into(), table: Arc::new(Table::open(file.into_inner()).unwrap()) }
}

/// Twenty users who go from 1 to 2 on the days 40 to 59.
fn log() -> Vec<(u32, u32, i64)> {
    (0..20).flat_map(|user| [(user, 1, 5), (user, 2, i64::from(user) + 40)]).collect()
}

#[test]
fn a_stored_table_that_knows_the_future_is_caught() {
    let directory = tempfile::tempdir().unwrap();
    let config = written(directory.path(), &log());
    let ask = |tables| run(replayed(&config, &taxonomy(20), &settings(40, 60), vec![Version::Stored(tables)]));
    let honest = ask(vec![stored("v1", Some(40))]).unwrap();
    assert_eq!((honest.versions[0].overall.positions, honest.versions[0].overall.served_1.value), (20, 1.0));
    let error = ask(vec![stored("v2", Some(41))]).unwrap_err().to_string();
    for said in ["v2 holds what happened up to 1970-02-11", "asked about 1970-02-10", "--from 1970-02-11"] {
        assert!(error.contains(said), "{error}");
    }
    assert!(matches!(ask(vec![stored("v3", None)]), Err(ReplayError::UnknownWindow { version }) if version == "v3"));
    assert!(ask(Vec::new()).is_err(), "no table answers");
}

#[test]
fn a_table_whose_model_was_tuned_on_the_future_is_caught() {
    let directory = tempfile::tempdir().unwrap();
    let config = written(directory.path(), &log());
    let ask = |tables| run(replayed(&config, &taxonomy(20), &settings(40, 60), vec![Version::Stored(tables)]));
    assert_eq!(ask(vec![tuned("v1", Some(40))]).unwrap().versions[0].overall.positions, 20);
    let error = ask(vec![tuned("v2", Some(45))]).unwrap_err().to_string();
    for said in ["v2 holds what happened up to 1970-02-15", "asked about 1970-02-10", "--from 1970-02-15"] {
        assert!(error.contains(said), "{error}");
    }
    assert!(matches!(ask(vec![tuned("v3", None)]), Err(ReplayError::UnknownWindow { version }) if version == "v3"));
}

#[test]
fn a_table_counted_behind_the_start_is_caught_at_the_first_moment_that_it_knows() {
    let directory = tempfile::tempdir().unwrap();
    let config = written(directory.path(), &log());
    let ask = |at| {
        let version = Version::Counted { refresh: Refresh::At(day(at)), rows: Rows::Configured };
        run(replayed(&config, &taxonomy(20), &settings(40, 60), vec![version]))
    };
    assert_eq!(ask(40).unwrap().versions[0].overall.positions, 20);
    let error = ask(50).unwrap_err().to_string();
    for said in ["version 0 holds what happened up to 1970-02-20", "asked about 1970-02-10"] {
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn of_several_stored_tables_the_newest_that_may_answers() {
    let directory = tempfile::tempdir().unwrap();
    let config = written(directory.path(), &log());
    let mut tables = vec![stored("v2", Some(50)), stored("v1", Some(30))];
    // The later one knows nothing of 1.
    let (taxonomy, mut file) = (taxonomy(20), std::io::Cursor::new(Vec::new()));
    let builder = TableBuilder::new(&mut file, &taxonomy, Shape { k: 2, width: 8 }, BuildLimits::default()).unwrap();
    builder.finish(&Lineage { window_to: Some(day(50)), ..Lineage::default() }, &[]).unwrap();
    tables[0].table = Arc::new(Table::open(file.into_inner()).unwrap());
    let result = run(replayed(&config, &taxonomy, &settings(40, 60), vec![Version::Stored(tables)])).unwrap();
    assert_eq!(result.versions[0].overall.served_1.value, 0.5);
    assert_eq!(result.versions[0].levels[1].positions, 10);
}

#[test]
fn what_comes_later_changes_no_earlier_answer() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plain = log();
    // From day 70 on everyone goes on to 3, which none did before.
    let later = (0..20).flat_map(|user| [(user, 3, 70), (user + 100, 1, 70), (user + 100, 3, 71)]);
    let planted: Vec<_> = plain.iter().copied().chain(later).collect();
    let versions = || {
        let counted = |refresh, rows| Version::Counted { refresh, rows };
        let (daily, weekly) = (Refresh::Every(Step::Days(1)), Refresh::Every(Step::Days(7)));
        vec![
            counted(daily, Rows::Configured),
            counted(Refresh::Once, Rows::Configured),
            counted(weekly, Rows::None),
            Version::Random,
        ]
    };
    let ask = |dir: &std::path::Path, rows: &[_]| {
        run(replayed(&written(dir, rows), &taxonomy(20), &settings(40, 60), versions())).unwrap()
    };
    let (before, after) = (ask(before.path(), &plain), ask(after.path(), &planted));
    assert_eq!((before.versions, before.differences), (after.versions, after.differences));
}
