//! Kept answers: what is of no use for long goes, what was of use lately stays, whatever the order of things.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use segue::inference::{Answers, Candidate};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(number)
}

fn answers(dir: &Path, on: u64) -> Answers {
    Answers::open_on(&dir.join(Answers::FILE), day(on)).unwrap()
}

fn said(text: &str) -> Vec<Candidate> {
    vec![Candidate { text: text.into(), probability: Some(0.5) }]
}

fn known(answers: &Answers, keys: impl IntoIterator<Item = u128>) -> Vec<u128> {
    let snapshot = answers.snapshot().unwrap();
    keys.into_iter().filter(|&key| snapshot.get(key).unwrap().is_some()).collect()
}

/// What one run does.
#[derive(Clone, Debug)]
struct Ran {
    /// Days since the run before.
    later: u64,
    asked: Vec<u128>,
    used: Vec<u128>,
    /// Whether it ended well, and for how many days answers are kept.
    swept: Option<u64>,
}

fn ran() -> impl Strategy<Value = Ran> {
    let keys = || proptest::collection::vec(0..12u128, 0..6);
    let swept = proptest::option::weighted(0.7, 1..8u64);
    (0..4u64, keys(), keys(), swept).prop_map(|(later, asked, used, swept)| Ran { later, asked, used, swept })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_sweep_leaves_what_a_list_of_last_days_would(runs in proptest::collection::vec(ran(), 1..12)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut last_use, mut today) = (BTreeMap::new(), 0);
        for Ran { later, asked, used, swept } in runs {
            today += later;
            let mut answers = answers(dir.path(), today);
            let used = known(&answers, used);
            let fresh: Vec<_> = asked.iter().map(|&key| (key, said("jazz"))).collect();
            answers.keep(&fresh).unwrap();
            answers.used(&used).unwrap();
            last_use.extend(asked.into_iter().chain(used).map(|key| (key, today)));
            if let Some(days) = swept {
                let before = last_use.len() as u64;
                last_use.retain(|_, day| today - *day <= days);
                let would = answers.sweep(DAY * days as u32, true).unwrap();
                let swept = answers.sweep(DAY * days as u32, false).unwrap();
                prop_assert_eq!((would.removed, would.kept), (swept.removed, swept.kept));
                prop_assert_eq!((swept.removed, swept.kept), (before - last_use.len() as u64, last_use.len() as u64));
            }
            prop_assert_eq!(known(&answers, 0..12), last_use.keys().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_pause_makes_nothing_old_and_a_wrong_clock_takes_nothing_that_is_used() {
    let dir = tempfile::tempdir().unwrap();
    answers(dir.path(), 0).keep(&[(1, said("jazz")), (2, said("go"))]).unwrap();
    let swept = answers(dir.path(), 1000).sweep(DAY, false).unwrap();
    assert_eq!((swept.removed, swept.kept), (0, 2), "no run came after");
    // A clock that was years ahead, and right again.
    answers(dir.path(), 9000).used(&[1]).unwrap();
    let mut right = answers(dir.path(), 1);
    right.used(&[2]).unwrap();
    assert_eq!(right.sweep(DAY, false).unwrap().removed, 0);
    assert_eq!(known(&right, 0..4), [1, 2]);
}

#[test]
fn what_another_build_kept_is_as_old_as_the_first_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let table = redb::TableDefinition::<u128, &[u8]>::new("answers");
    let database = redb::Database::create(dir.path().join(Answers::FILE)).unwrap();
    let writing = database.begin_write().unwrap();
    for key in 0..4 {
        writing.open_table(table).unwrap().insert(key, br#"[["jazz",null]]"#.as_slice()).unwrap();
    }
    writing.commit().unwrap();
    drop(database);
    let mut first = answers(dir.path(), 100);
    first.used(&[0]).unwrap();
    assert_eq!(first.sweep(DAY, false).unwrap().removed, 0);
    drop(first);
    let mut second = answers(dir.path(), 102);
    second.used(&[0]).unwrap();
    assert_eq!((second.sweep(DAY, false).unwrap().removed, known(&second, 0..4)), (3, vec![0]));
}

#[test]
fn the_file_gives_the_room_of_many_answers_back() {
    let dir = tempfile::tempdir().unwrap();
    let text = "x".repeat(1000);
    let many: Vec<_> = (0..12_000).map(|key| (key, said(&text))).collect();
    answers(dir.path(), 0).keep(&many).unwrap();
    let before = std::fs::metadata(dir.path().join(Answers::FILE)).unwrap().len();
    let mut later = answers(dir.path(), 10);
    later.used(&[3, 4, 5]).unwrap();
    let swept = later.sweep(DAY * 5, false).unwrap();
    assert_eq!((swept.removed, swept.kept), (11_997, 3));
    assert!(swept.bytes < before / 4, "{} of {before} bytes", swept.bytes);
    drop(later);
    assert_eq!(known(&answers(dir.path(), 10), 0..12_000), [3, 4, 5]);
}

#[test]
fn without_a_file_nothing_is_made_and_one_in_use_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Answers::sweep_in(dir.path(), DAY, false).unwrap(), None);
    assert!(!dir.path().join(Answers::FILE).exists());
    let _open = answers(dir.path(), 0);
    let error = Answers::sweep_in(dir.path(), DAY, false).unwrap_err().to_string();
    assert!(error.contains("open in another process"), "{error}");
}
