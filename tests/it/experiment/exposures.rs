//! The exposure log: each once, none missing, whole files only.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use segue::experiment::{
    ArmExposures, Config, Experiments, ExposureWriter, Exposures, ExposuresConfig, ExposuresError,
};
use serde_json::json;

/// 2026-03-01T00:00:00Z, in microseconds.
const MIDNIGHT: i64 = 1_772_323_200_000_000;

fn experiments() -> Experiments {
    let json = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
    Experiments::new(&[serde_json::from_value::<Config>(json).unwrap()]).unwrap()
}

fn config(dir: &Path, change: serde_json::Value) -> ExposuresConfig {
    let mut config = json!({"path": dir.join("exposures"), "every": "1h"});
    config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

/// A log of these experiments that has begun.
fn begun(
    config: &ExposuresConfig,
    experiments: &Experiments,
) -> Result<(ArmExposures, ExposureWriter), ExposuresError> {
    let (exposures, writer) = Exposures::new(config)?;
    let of_arms = exposures.of(experiments);
    exposures.begin().map(|()| (of_arms, writer))
}

/// Notes that each unit was answered by its arm.
fn note<'u>(exposures: &ArmExposures, experiments: &Experiments, units: impl IntoIterator<Item = &'u str>, at: i64) {
    for unit in units {
        exposures.note(experiments.assign("main", unit, 0).unwrap(), unit, 3, at);
    }
}

/// `(arm, unit, timestamp)` of all rows, a file each.
fn files(dir: &Path) -> Vec<Vec<(String, String, i64)>> {
    let mut names: Vec<_> = std::fs::read_dir(dir.join("exposures")).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let read = |path: &std::path::PathBuf| {
        assert_eq!(path.extension().unwrap(), "parquet", "{path:?}: nothing else stays");
        let file = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let rows = file.get_row_iter(None).unwrap().map(|row| row.unwrap());
        let row = |row: parquet::record::Row| {
            assert_eq!((row.get_string(0).unwrap().as_str(), row.get_ulong(4).unwrap()), ("rag", 3));
            let (arm, unit) = (row.get_string(1).unwrap().clone(), row.get_string(2).unwrap().clone());
            (arm, unit, row.get_timestamp_micros(3).unwrap())
        };
        rows.map(row).collect()
    };
    names.iter().map(read).collect()
}

fn units(count: usize) -> Vec<String> {
    (0..count).map(|unit| format!("user {unit}")).collect()
}

#[test]
fn each_unit_is_logged_once_a_day_whoever_notes_it() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let (exposures, writer) = begun(&config(dir.path(), json!({})), &experiments).unwrap();
    let units = units(500);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| note(&exposures, &experiments, units.iter().map(String::as_str), MIDNIGHT - 1));
        }
    });
    note(&exposures, &experiments, units.iter().map(String::as_str), MIDNIGHT);
    drop(writer);
    let files = files(dir.path());
    assert_eq!(files.len(), 1);
    let days = [MIDNIGHT - 1, MIDNIGHT];
    let all = days.iter().flat_map(|&at| units.iter().map(move |unit| (unit, at)));
    let arm = |unit: &str| experiments.assign("main", unit, 0).unwrap().arm.to_owned();
    let expected: BTreeSet<_> = all.map(|(unit, at)| (arm(unit), unit.clone(), at)).collect();
    let found: BTreeSet<_> = files[0].iter().cloned().collect();
    assert_eq!(found, expected);
    assert_eq!(files[0].len(), 1_000);
}

#[test]
fn with_too_little_memory_some_repeat_and_none_is_missing() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let config = config(dir.path(), json!({"memory": "64B", "rows": 100}));
    let (exposures, writer) = begun(&config, &experiments).unwrap();
    let units = units(300);
    for _ in 0..3 {
        note(&exposures, &experiments, units.iter().map(String::as_str), MIDNIGHT);
    }
    drop(writer);
    let files = files(dir.path());
    assert!(files.iter().all(|rows| rows.len() <= 100), "a file has 100 rows at most");
    let rows: Vec<_> = files.into_iter().flatten().collect();
    assert_eq!(rows.len(), 8 + 3 * 292, "eight are remembered, the others come each time");
    let found: BTreeSet<_> = rows.iter().map(|(_, unit, _)| unit.clone()).collect();
    assert_eq!(found, units.into_iter().collect());
}

#[test]
fn what_a_full_queue_does_not_take_is_offered_again() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let config = config(dir.path(), json!({"queue": 10}));
    let (exposures, writer) = begun(&config, &experiments).unwrap();
    let units = units(100);
    let (began, last) = (Instant::now(), experiments.assign("main", "user 99", 0).unwrap());
    // Ten at most are taken each time that the thread looks.
    for _ in 0..60 {
        note(&exposures, &experiments, units.iter().map(String::as_str), MIDNIGHT);
        std::thread::sleep(Duration::from_millis(20));
    }
    exposures.note(last, &"x".repeat(2_000), 3, MIDNIGHT);
    drop(writer);
    assert!(began.elapsed() < Duration::from_secs(10));
    let found: BTreeSet<_> = files(dir.path()).into_iter().flatten().map(|(_, unit, _)| unit).collect();
    assert_eq!(found, units.into_iter().collect(), "all in the end; none of endless length");
}

#[test]
fn a_directory_that_comes_back_gets_what_waited() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let config = config(dir.path(), json!({"every": "10ms"}));
    let (exposures, writer) = begun(&config, &experiments).unwrap();
    std::fs::remove_dir(dir.path().join("exposures")).unwrap();
    note(&exposures, &experiments, ["a", "b"], MIDNIGHT);
    std::thread::sleep(Duration::from_millis(300));
    note(&exposures, &experiments, ["c"], MIDNIGHT);
    std::fs::create_dir(dir.path().join("exposures")).unwrap();
    drop(writer);
    let found: Vec<_> = files(dir.path()).into_iter().flatten().map(|(_, unit, _)| unit).collect();
    assert_eq!(found, ["a", "b", "c"]);
}

#[test]
fn nothing_is_written_without_experiments_and_nowhere_that_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    begun(&config(dir.path(), json!({})), &Experiments::default()).unwrap();
    assert!(!dir.path().join("exposures").exists());
    let told = |change: serde_json::Value| {
        let started = begun(&config(dir.path(), change), &experiments());
        started.err().unwrap().to_string()
    };
    let error = told(json!({"path": "gs://bucket/exposures"}));
    assert!(error.contains("gs://bucket/exposures") && error.contains("s3://bucket/prefix"), "{error}");
    #[cfg(not(feature = "s3"))]
    assert!(told(json!({"path": "s3://bucket/exposures"})).contains("--features s3"));
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = told(json!({"path": dir.path().join("file/within")}));
    assert!(error.contains("file/within") && error.contains("cannot be written to"), "{error}");
    assert!(told(json!({"path": ""})).contains("path is empty"));
    assert!(told(json!({"queue": 100_000_000})).contains("queue = 100000000"));
}

/// Two arms on `main`, of which the first has this weight.
fn weighing(name: &str, arms: [&str; 2], weight: f64) -> Experiments {
    let mut json = super::assign::json(&[(arms[0], weight), (arms[1], 1.0 - weight)]);
    json["name"] = name.into();
    Experiments::new(&[serde_json::from_value::<Config>(json).unwrap()]).unwrap()
}

#[test]
fn rows_tell_of_the_arm_that_answered_whatever_runs_when_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let (exposures, writer) = Exposures::new(&config(dir.path(), json!({}))).unwrap();
    let units = units(200);
    let mut expected = Vec::new();
    // Places are the same in all of these, names are not. Nothing is written before the end.
    for (arms, weight) in [(["control", "fresh"], 0.5), (["fresh", "control"], 0.5), (["x", "y"], 0.5)] {
        let experiments = weighing("rag", arms, weight);
        let of_arms = exposures.of(&experiments);
        exposures.begin().unwrap();
        for _ in 0..2 {
            note(&of_arms, &experiments, units.iter().map(String::as_str), MIDNIGHT);
        }
        let arm = |unit: &String| experiments.assign("main", unit, 0).unwrap().arm.to_owned();
        expected.extend(units.iter().map(|unit| (arm(unit), unit.clone(), MIDNIGHT)));
    }
    exposures.of(&Experiments::default());
    drop(writer);
    let mut found: Vec<_> = files(dir.path()).into_iter().flatten().collect();
    found.sort();
    found.dedup();
    expected.sort();
    // The order of arms decides nothing, but the deal is another one: the same rows may be there twice.
    expected.dedup();
    assert_eq!(found, expected);
}

#[test]
fn units_are_logged_anew_when_weights_change_and_not_when_another_experiment_does() {
    let dir = tempfile::tempdir().unwrap();
    let (exposures, writer) = Exposures::new(&config(dir.path(), json!({}))).unwrap();
    let units = units(50);
    let noted = |experiments: &Experiments| {
        note(&exposures.of(experiments), experiments, units.iter().map(String::as_str), MIDNIGHT);
        exposures.begin().unwrap();
    };
    let half = weighing("rag", ["control", "fresh"], 0.5);
    noted(&half);
    let mut with_another = half.clone();
    let mut other = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
    (other["name"], other["salt"], other["channel"]) = (json!("other"), json!("o"), json!("fresh"));
    with_another.add(&serde_json::from_value(other).unwrap()).unwrap();
    noted(&with_another);
    noted(&weighing("rag", ["control", "fresh"], 0.4));
    drop(writer);
    assert_eq!(files(dir.path()).concat().len(), 100, "two deals of 50 units");
}

#[test]
fn a_directory_that_cannot_be_made_yet_is_tried_again_and_nothing_is_lost() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    std::fs::write(dir.path().join("exposures"), "in the way").unwrap();
    let (exposures, writer) = Exposures::new(&config(dir.path(), json!({}))).unwrap();
    let of_arms = exposures.of(&experiments);
    assert!(exposures.begin().unwrap_err().to_string().contains("cannot be written to"));
    note(&of_arms, &experiments, ["a", "b"], MIDNIGHT);
    std::fs::remove_file(dir.path().join("exposures")).unwrap();
    exposures.begin().unwrap();
    exposures.begin().unwrap();
    drop(writer);
    let found: Vec<_> = files(dir.path()).into_iter().flatten().map(|(_, unit, _)| unit).collect();
    assert_eq!(found, ["a", "b"]);
    exposures.begin().unwrap();
    note(&of_arms, &experiments, ["c"], MIDNIGHT);
}

/// What `metric` counts of all that `work` did, whatever its labels.
fn counted(metric: &str, text: &str) -> u64 {
    let series = text.lines().filter(|line| line.starts_with(metric));
    series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// The metrics of what is done meanwhile.
fn recorded(work: impl FnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, work);
    recorder.handle().render()
}

#[test]
fn what_is_dropped_is_counted_each_time_and_a_unit_that_is_too_long_once_a_day() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let long = "x".repeat(1_025);
    let told = recorded(|| {
        let (exposures, writer) = Exposures::new(&config(dir.path(), json!({"queue": 3}))).unwrap();
        let of_arms = exposures.of(&experiments);
        // Nobody takes anything out of the queue yet.
        for _ in 0..2 {
            note(&of_arms, &experiments, ["a", "b", "c", "d", "e", &long], MIDNIGHT);
        }
        exposures.begin().unwrap();
        drop(writer);
    });
    let dropped = |reason: &str| {
        let of_reason = told.lines().filter(|line| line.contains(reason)).collect::<Vec<_>>().join("\n");
        counted("segue_exposures_dropped_total", &of_reason)
    };
    assert_eq!((dropped("queue_full"), dropped("unit_too_long")), (4, 1), "{told}");
    assert_eq!(counted("segue_exposures_total", &told), 3, "{told}");
    assert_eq!(counted("segue_exposures_written_total", &told), 3, "{told}");
    assert_eq!(counted("segue_exposures_lost_total", &told), 0, "{told}");
}

#[test]
fn what_cannot_be_written_is_counted_as_failed_and_in_the_end_as_lost() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let told = recorded(|| {
        let (of_arms, writer) = begun(&config(dir.path(), json!({})), &experiments).unwrap();
        std::fs::remove_dir(dir.path().join("exposures")).unwrap();
        note(&of_arms, &experiments, ["a", "b"], MIDNIGHT);
        drop(writer);
        // Nor where it was never begun.
        let (exposures, writer) = Exposures::new(&config(dir.path(), json!({}))).unwrap();
        note(&exposures.of(&experiments), &experiments, ["a", "b", "c"], MIDNIGHT);
        drop(writer);
    });
    assert!(counted("segue_exposure_write_failures_total", &told) >= 1, "{told}");
    assert_eq!(counted("segue_exposures_lost_total", &told), 5, "{told}");
    assert_eq!(counted("segue_exposures_written_total", &told), 0, "{told}");
}

#[test]
fn what_memory_has_no_room_for_is_counted_apart() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    let units = units(20);
    let told = recorded(|| {
        let (of_arms, writer) = begun(&config(dir.path(), json!({"memory": "64B"})), &experiments).unwrap();
        for _ in 0..3 {
            note(&of_arms, &experiments, units.iter().map(String::as_str), MIDNIGHT);
        }
        drop(writer);
    });
    assert_eq!(counted("segue_exposures_total", &told), 8, "{told}");
    assert_eq!(counted("segue_exposures_repeating_total", &told), 36, "{told}");
    assert_eq!(counted("segue_exposures_written_total", &told), 44, "{told}");
}

#[test]
fn what_a_kill_left_half_written_is_swept_at_the_start() {
    let (dir, experiments) = (tempfile::tempdir().unwrap(), experiments());
    std::fs::create_dir(dir.path().join("exposures")).unwrap();
    std::fs::write(dir.path().join("exposures/.writing-7-0-1700000000000000000"), "half").unwrap();
    let (of_arms, writer) = begun(&config(dir.path(), json!({})), &experiments).unwrap();
    note(&of_arms, &experiments, ["a"], MIDNIGHT);
    drop(writer);
    assert_eq!(files(dir.path()).len(), 1, "and nothing else");
}
