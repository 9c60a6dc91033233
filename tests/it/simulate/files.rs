//! What is written, and what is refused.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use chrono::{DateTime, Days};
use segue::ids::ClusterId;
use segue::simulate::{CLUSTERS_FILE, Config, ITEMS_FILE, LOG_GLOB, SimulateError, Simulation};
use segue::taxonomy::Taxonomy;
use tempfile::TempDir;

use super::{batches, day_file, day_of, files, log, rows, simulation, small, written};

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (one, two) = (written(&small()), written(&small()));
    let (one, two) = (files(one.path()), files(two.path()));
    assert_eq!(one.len(), 3 + 2 * 6, "{:?}", one.keys());
    assert!(one == two, "the bytes differ");

    let other = written(&Config { seed: 2, ..small() });
    let other = files(other.path());
    assert_eq!(one[Path::new(CLUSTERS_FILE)], other[Path::new(CLUSTERS_FILE)]);
    let differing = one.iter().filter(|(path, bytes)| other[*path] != **bytes).count();
    assert_eq!(differing, 1 + 2 * 6, "simulation.json and every day must differ");
}

#[test]
fn days_can_be_asked_for_in_any_order() {
    let dir = written(&small());
    let whole = files(dir.path());
    let again = TempDir::new().unwrap();
    let mut simulation = simulation(&small());
    for day in [4, 2, 3, 3, 0, 1, 5] {
        let written = simulation.write_day(again.path(), day).unwrap();
        assert_eq!(written.path, day_file(again.path(), "log", &small(), day));
        assert_eq!(written.rows, rows(&written.path).len() as u64);
        assert_eq!((written.day, written.date), (day, small().start + Days::new(day.into())));
    }
    simulation.write_static(again.path()).unwrap();
    assert!(files(again.path()) == whole, "the bytes differ");
}

#[test]
fn progress_tells_of_every_day() {
    let dir = TempDir::new().unwrap();
    let mut told = Vec::new();
    let total = simulation(&small()).write_all(dir.path(), |day| told.push(day.clone())).unwrap();
    assert_eq!(told.iter().map(|day| day.day).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(told.iter().map(|day| day.rows).sum::<u64>(), total);
    let expected = 300.0 * 6.0 * small().events_per_day;
    assert!((total as f64 - expected).abs() < 5.0 * expected.sqrt(), "{total} rows where {expected} are the mean");
}

#[test]
fn logs_have_the_schema_and_the_order_they_promise() {
    let dir = written(&small());
    let mut latest = HashMap::new();
    for day in 0..small().days {
        let path = day_file(dir.path(), "log", &small(), day);
        let schema = batches(&path)[0].schema();
        let columns: Vec<String> = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
        assert_eq!(
            columns,
            [
                "user_id Int64",
                "item_id Int64",
                "cluster_id Int32",
                r#"timestamp Timestamp(ms, "UTC")"#,
                "watch_ratio Float32",
                "is_like Boolean"
            ]
        );
        let rows = rows(&path);
        assert!(rows.is_sorted_by_key(|row| row.time));
        for row in &rows {
            assert_eq!(day_of(row.time, &small()), day, "{row:?}");
            assert!((0.0..=1.0).contains(&row.watch_ratio), "{row:?}");
            let before = latest.insert(row.user, row.time);
            assert!(before.is_none_or(|before| before < row.time), "{row:?} comes after {before:?}");
        }
        let midnight = DateTime::from_timestamp_millis(rows[0].time).unwrap().date_naive();
        assert!(path.to_string_lossy().contains(&format!("date={midnight}")));
    }
}

#[test]
fn the_glob_finds_the_log_alone() {
    let dir = written(&small());
    let pattern = dir.path().join(LOG_GLOB);
    let found: Vec<_> = glob::glob(pattern.to_str().unwrap()).unwrap().map(Result::unwrap).collect();
    let expected: Vec<_> = (0..6).map(|day| day_file(dir.path(), "log", &small(), day)).collect();
    assert_eq!(found, expected);
}

#[test]
fn clusters_and_items_can_be_joined_to_the_log() {
    let dir = written(&small());
    let mut clusters = csv::Reader::from_path(dir.path().join(CLUSTERS_FILE)).unwrap();
    assert_eq!(clusters.headers().unwrap(), vec!["cluster_id", "keywords"]);
    let clusters: Vec<(u32, String)> = clusters.deserialize().map(Result::unwrap).collect();
    let taxonomy = Taxonomy::new(clusters.into_iter().map(|(id, keywords)| (ClusterId(id), keywords))).unwrap();
    assert_eq!(taxonomy, simulation(&small()).taxonomy());

    let mut items = csv::Reader::from_path(dir.path().join(ITEMS_FILE)).unwrap();
    assert_eq!(items.headers().unwrap(), vec!["item_id", "cluster_id", "title"]);
    let items: Vec<(i64, u32, String)> = items.deserialize().map(Result::unwrap).collect();
    assert_eq!(items.len(), 24 * 7);
    let titles: HashSet<&str> = items.iter().map(|item| item.2.as_str()).collect();
    assert_eq!(titles.len(), items.len(), "24 clusters all differ in subject");
    let cluster_of: HashMap<i64, u32> = items.iter().map(|item| (item.0, item.1)).collect();
    assert_eq!(cluster_of.len(), items.len());
    let log = log(dir.path(), &small());
    assert!(log.iter().all(|row| cluster_of[&row.item] == row.cluster.0));
    let seen: HashSet<i64> = log.iter().map(|row| row.item).collect();
    assert_eq!(seen.len(), items.len(), "every item is watched some time");
}

#[test]
fn thousands_of_clusters_have_descriptions_of_their_own() {
    let taxonomy = simulation(&Config { clusters: 2_500, ..Config::default() }).taxonomy();
    let descriptions: HashSet<&str> = taxonomy.clusters().iter().map(|c| c.description.as_str()).collect();
    assert_eq!(descriptions.len(), 2_500);
    let five = simulation(&Config { clusters: 5, ..Config::default() }).taxonomy();
    assert_eq!(five.clusters(), &taxonomy.clusters()[..5], "names do not depend on how many there are");
}

#[test]
fn bad_configs_are_refused_before_anything_is_written() {
    let refused = Simulation::new(&Config { users: 0, ..small() }).unwrap_err();
    assert_eq!(refused.to_string(), "simulate.users is 0: it must lie between 1 and 10000000");
    assert_eq!((refused.field, refused.value.as_str()), ("users", "0"));
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(".hidden"), "").unwrap();
    fs::write(dir.path().join("precious.txt"), "mine").unwrap();
    for error in [
        simulation(&small()).write_static(dir.path()).unwrap_err(),
        simulation(&small()).write_day(dir.path(), 0).unwrap_err(),
        simulation(&small()).write_all(dir.path(), |_| ()).unwrap_err(),
    ] {
        assert!(matches!(error, SimulateError::NotASimulation { .. }), "{error}");
        assert!(error.to_string().contains("is not empty and holds no simulation.json: choose"), "{error}");
    }
    assert_eq!(files(dir.path()).len(), 2);

    fs::remove_file(dir.path().join("precious.txt")).unwrap();
    simulation(&small()).write_static(dir.path()).unwrap();
}

#[test]
fn a_directory_of_another_simulation_is_left_alone() {
    let dir = written(&small());
    let before = files(dir.path());
    let other = Config { pair_strength: 0.1, ..small() };
    let error = simulation(&other).write_day(dir.path(), 1).unwrap_err();
    assert!(error.to_string().contains("its pair_strength is 0.8, this one's is 0.1"), "{error}");
    assert!(files(dir.path()) == before);
    simulation(&small()).write_all(dir.path(), |_| ()).unwrap();
    assert!(files(dir.path()) == before, "the same simulation may be written again");

    let manifest = dir.path().join("simulation.json");
    for (text, problem) in [("{", "EOF"), (r#"{"generator": 99}"#, "its generator is 99, this build's is 1")] {
        fs::write(&manifest, text).unwrap();
        let error = simulation(&small()).write_day(dir.path(), 1).unwrap_err();
        assert!(matches!(error, SimulateError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn days_beyond_the_config_are_refused() {
    let dir = TempDir::new().unwrap();
    let error = simulation(&small()).write_day(dir.path(), 6).unwrap_err();
    assert!(matches!(error, SimulateError::Day { day: 6, days: 6 }), "{error}");
    assert!(error.to_string().contains("0 to 5"), "{error}");
    assert!(simulation(&small()).date(u32::MAX).is_err());
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_failed_day_leaves_nothing_and_can_be_asked_for_again() {
    let whole = written(&small());
    let dir = TempDir::new().unwrap();
    let mut simulation = simulation(&small());
    simulation.write_day(dir.path(), 0).unwrap();

    // A directory where the truth's file belongs lets the day fail after all of it was lived and written.
    let obstacle = day_file(dir.path(), "truth", &small(), 1);
    fs::create_dir_all(obstacle.join("in the way")).unwrap();
    let before = files(dir.path());
    let error = simulation.write_day(dir.path(), 1).unwrap_err();
    assert!(matches!(error, SimulateError::Io { .. }), "{error}");
    assert!(error.to_string().contains(&format!("writing {} failed", obstacle.display())), "{error}");
    assert!(files(dir.path()) == before, "{:?}", files(dir.path()).keys());

    fs::remove_dir_all(&obstacle).unwrap();
    let written = simulation.write_day(dir.path(), 1).unwrap();
    assert_eq!(fs::read(written.path).unwrap(), fs::read(day_file(whole.path(), "log", &small(), 1)).unwrap());
}

#[test]
fn what_cannot_be_a_directory_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    let error = simulation(&small()).write_all(&file, |_| ()).unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}
