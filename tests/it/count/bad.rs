//! Bad input: rows that are skipped and counted, and logs that are refused with a clear error.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use segue::interactions::{Config, Error, Log, Reason, Report, Sequence, TimestampUnit, Window};
use tempfile::TempDir;

use super::files::{write_parquet, write_text};
use super::{config, rows, run, taxonomy};

/// A directory with these files; the config reads it, with integer seconds.
fn logs(files: &[(&str, &str)]) -> (TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_text(&path, text);
    }
    let config = Config { timestamp_unit: Some(TimestampUnit::Seconds), ..config(directory.path()) };
    (directory, config)
}

fn positive(expression: &str, config: Config) -> Config {
    Config { positive: Some(expression.to_owned()), ..config }
}

fn survey(config: &Config) -> Result<Report, Error> {
    run(async { Log::open(config, &taxonomy(10)).await?.report(&Window::default()).await })
}

/// The report without its samples, as text.
fn bad(config: &Config) -> Vec<(Reason, u64)> {
    survey(&Config { max_bad_share: 1.0, ..config.clone() }).unwrap().bad.into_iter().collect()
}

fn refused(config: &Config, parts: &[&str]) {
    let error = survey(config).expect_err("the log should be refused").to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

const GOOD: &str = "user_id,cluster_id,timestamp,rating\n1,1,10,7\n1,2,20,10\n1,3,30,8\n";

#[test]
fn missing_columns_are_named_with_file_and_nearest_name() {
    let (_dir, config) = logs(&[("a.csv", GOOD), ("b.csv", "userid,cluster_id,timestamp,rating\n1,1,1,1\n")]);
    refused(&config, &["b.csv has no column `user_id` (columns.user); did you mean `userid`?"]);
    let (_dir, config) = logs(&[("a.csv", "user_id,cluster,timestamp\n1,1,1\n")]);
    refused(&config, &["a.csv has no column `cluster_id`", "`items`", "did you mean `cluster`?"]);
    let (_dir, config) = logs(&[("a.jsonl", "{\"user\": 1, \"cluster_id\": 1, \"timestamp\": 1}\n")]);
    refused(&config, &["a.jsonl has no column `user_id`", "`timestamp`, `user`"]);
    let (_dir, config) = logs(&[("a.json", "[\n{\n\"user_id\": 1\n}\n]\n")]);
    refused(&config, &["a.json has no column `user_id`", "JSON with one object a line"]);
    let directory = tempfile::tempdir().unwrap();
    write_parquet(&directory.path().join("a.parquet"), vec![("user_id", Arc::new(Int64Array::from(vec![1])))]);
    refused(&super::config(directory.path()), &["a.parquet has no column `timestamp` (columns.timestamp)"]);
    let (_dir, config) = logs(&[("a.csv", "user_id,cluster_id,timestamp,user_id\n")]);
    refused(&config, &["a.csv: column `user_id` stands twice"]);
}

#[test]
fn integer_timestamps_need_a_unit() {
    let (_dir, config) = logs(&[("a.csv", GOOD)]);
    let no_unit = Config { timestamp_unit: None, ..config };
    refused(&no_unit, &["a.csv", "`timestamp` holds integers", "timestamp_unit"]);
    let directory = tempfile::tempdir().unwrap();
    let ones = || -> ArrayRef { Arc::new(Int32Array::from(vec![1])) };
    let columns = vec![("user_id", ones()), ("cluster_id", ones()), ("timestamp", ones())];
    write_parquet(&directory.path().join("a.parquet"), columns);
    refused(&super::config(directory.path()), &["a.parquet", "`timestamp` holds Int32", "timestamp_unit"]);
}

#[test]
fn positive_must_be_a_boolean_over_known_columns_of_one_row() {
    let (_dir, config) = logs(&[("date=2026-01-01/a.csv", GOOD)]);
    for (expression, problem) in [
        ("Rating >= 7", "no column `Rating`; did you mean `rating`? The columns are"),
        ("rating + 1", "gives Float64, but must be true or false"),
        ("rating >=", "positive = `rating >=`: sql parser error"),
        ("rating >= 7 yes", "Expected: end of expression, found: yes"),
        ("rating >= 7 AS yes", "followed by more than an expression"),
        ("rating >= 7; DROP TABLE positives", "positive = "),
        ("rating > max(rating)", "must concern one row"),
        ("rating > (SELECT 1)", "positive = "),
        ("shout(rating)", "shout"),
        ("", "positive = ``"),
    ] {
        refused(&positive(expression, config.clone()), &[problem, "[interactions] positive"]);
    }
    for (expression, positives) in [
        ("rating >= 7 AND date >= '2026-01-01'", 3),
        ("date < '2026-01-01'", 0),
        ("rating IN (7, 8)", 2),
        ("rating BETWEEN 8 AND 9 OR user_id = 2", 1),
        ("NOT rating = 10.0", 2),
    ] {
        let report = survey(&positive(expression, config.clone()));
        assert_eq!(report.map_or(0, |report| report.positives), positives, "{expression}");
    }
}

#[test]
fn one_unreadable_value_far_down_is_one_bad_row() {
    let row = |at: u32| format!("{},{},{at},{}\n", at / 10, at % 10, if at == 11_111 { "n/a" } else { "10" });
    let text: String = (0..12_000).map(row).collect();
    let (_dir, config) = logs(&[("a.csv", &format!("user_id,cluster_id,timestamp,rating\n{text}"))]);
    let report = survey(&positive("rating >= 7", config)).unwrap();
    assert_eq!((report.rows, report.positives), (12_000, 11_999));
    assert_eq!(report.bad.into_iter().collect::<Vec<_>>(), [(Reason::UnreadableEngagement, 1)]);
    let sample = &report.samples[0];
    assert!(sample.file.ends_with("a.csv") && sample.line == Some(11_113), "{sample}");
    assert!(sample.values.contains(&("rating".to_owned(), Some("n/a".to_owned()))), "{sample}");
}

#[test]
fn a_text_column_compared_with_a_number_is_a_number() {
    // Sampled, the column is text: too few of its values are numbers.
    let ratings = ["10", "n/a", "-", "7.5", "?"];
    let rows: String = ratings.iter().map(|rating| format!("1,1,1,{rating}\n")).collect();
    let (_dir, config) = logs(&[("a.csv", &format!("user_id,cluster_id,timestamp,rating\n{rows}"))]);
    let config = Config { max_bad_share: 0.6, ..positive("rating >= 7", config) };
    assert_eq!(survey(&config).unwrap().positives, 2);
    refused(
        &Config { max_bad_share: 0.59, ..config },
        &["3 of 5 rows are bad", "rating = `n/a`", "max_bad_share = 0.59"],
    );
}

#[test]
fn bad_rows_are_counted_by_reason_with_samples() {
    let text = "user_id,cluster_id,timestamp,rating\n,1,1,1\n1,,1,1\n1,1,,1\n1,x,1,1\n1,77,1,1\n1,1,soon,1\n\
                1,1,99999999999,1\n1,1,1\n1,1,1,1,1\n1,1,1,\n1,1,1,1\n";
    let (_dir, config) = logs(&[("a.csv", text)]);
    let config = positive("rating >= 1", config);
    let expected = [
        (Reason::BrokenLine, 2),
        (Reason::NoUser, 1),
        (Reason::NoTimestamp, 1),
        (Reason::UnreadableTimestamp, 2),
        (Reason::NoCluster, 1),
        (Reason::UnknownCluster, 2),
    ];
    assert_eq!(bad(&config), expected);
    let shown =
        ["9 of 11 rows", "1 rows: no user", "a.csv, line 2: user_id = null", "`soon`", "a.csv, line 9: `1,1,1`"];
    refused(&config, &shown);
}

#[test]
fn an_unclosed_quote_costs_every_line_that_it_swallows() {
    let (_dir, config) = logs(&[("a.csv", "user_id,cluster_id,timestamp\n1,1,1\n\"1,1,1\n1,2,2\n1,3,3\n")]);
    assert_eq!(bad(&config), [(Reason::BrokenLine, 3)]);
}

#[test]
fn json_lines_of_wrong_types_are_bad_rows() {
    let text = r#"{"user_id": 1, "cluster_id": 1, "timestamp": 1, "rating": 7, "is_like": true}
        {"user_id": "1", "cluster_id": "2", "timestamp": "2", "rating": "8"}

        {"user_id": {"id": 1}, "cluster_id": 1, "timestamp": 1}
        {"user_id": 1, "cluster_id": true, "timestamp": 1}
        {"user_id": 1, "cluster_id": 1, "timestamp": [1]}
        {"user_id": 1, "cluster_id": 1, "timestamp": 1, "rating": "high"}
        {"user_id": 1, "cluster_id": 1
        [1, 2]
        {"user_id": 1, "cluster_id": 3, "timestamp": 1.5}
"#;
    let (_dir, config) = logs(&[("a.json", text)]);
    let config = positive("rating >= 7 OR is_like", config);
    let expected = [
        (Reason::BrokenLine, 2),
        (Reason::NoUser, 1),
        (Reason::NoTimestamp, 1),
        (Reason::UnreadableTimestamp, 1),
        (Reason::UnknownCluster, 1),
        (Reason::UnreadableEngagement, 1),
    ];
    assert_eq!(bad(&config), expected);
    let report = survey(&Config { max_bad_share: 1.0, ..config }).unwrap();
    assert_eq!((report.rows, report.positives), (9, 2));
}

#[test]
fn emptiness_is_named() {
    let (directory, config) = logs(&[("a.csv", GOOD)]);
    let window = Window::parse(Some("2026-01-01"), None).unwrap();
    let error = run(async { Log::open(&config, &taxonomy(10)).await?.report(&window).await }).unwrap_err().to_string();
    assert!(error.contains("[2026-01-01T00:00:00Z, ...)"), "{error}");
    assert!(error.contains("the log spans 1970-01-01T00:00:10Z to 1970-01-01T00:00:30Z"), "{error}");
    refused(&positive("rating > 10", config.clone()), &["none of the 3 rows", "`rating > 10`"]);
    for name in ["a.csv", "a.jsonl"] {
        let (_dir, config) = logs(&[(name, "")]);
        refused(&config, &["is empty"]);
    }
    let (_dir, header_only) = logs(&[("a.csv", "user_id,cluster_id,timestamp\n")]);
    refused(&header_only, &["is empty"]);
    assert!(matches!(survey(&header_only), Err(Error::EmptyLog { .. })));
    fs::remove_file(directory.path().join("a.csv")).unwrap();
    refused(&config, &["no log files at", directory.path().to_str().unwrap()]);
}

#[test]
fn a_quiet_day_without_a_header_is_no_error_and_columns_may_change_places() {
    let swapped = "\u{feff}rating,timestamp,cluster_id,user_id,new\n9,5,4,1,x\n";
    let (_dir, config) = logs(&[("a.csv", GOOD), ("b.csv", ""), ("c.csv", swapped)]);
    run(async {
        let log = Log::open(&positive("rating >= 8", config), &taxonomy(10)).await.unwrap();
        let expected = [(vec![2, 3], 1), (vec![4, 2], 1)];
        assert_eq!(rows(&log, 1, &Window::default()).await.unwrap(), expected);
    });
}

#[test]
fn torn_files_are_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.parquet"), "PAR1 but not quite").unwrap();
    refused(&super::config(directory.path()), &["a.parquet is not a readable Parquet file"]);

    // Beyond the rows that are sampled, so that it is met while counting.
    let rows: String = (0..40_000).map(|at| format!("{},{},{at}\n", at * 7919 % 1009, at % 10)).collect();
    let (directory, config) = logs(&[("a.csv.gz", &format!("user_id,cluster_id,timestamp\n{rows}"))]);
    let path = directory.path().join("a.csv.gz");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    refused(&config, &["cannot read", "a.csv.gz", "after line 3"]);
}

#[test]
fn files_of_one_log_may_widen_a_type_but_not_change_it() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, users: ArrayRef| {
        let ones = || Int64Array::from(vec![1; users.len()]);
        let times = TimestampMillisecondArray::from((0..users.len() as i64).collect::<Vec<_>>());
        let columns: Vec<(&str, ArrayRef)> =
            vec![("user_id", users.clone()), ("cluster_id", Arc::new(ones())), ("timestamp", Arc::new(times))];
        write_parquet(&directory.path().join(name), columns);
    };
    write("a.parquet", Arc::new(Int32Array::from(vec![1, 2])));
    write("b.parquet", Arc::new(Int64Array::from(vec![3])));
    write("c.parquet", Arc::new(StringArray::from(vec!["4"])));
    assert_eq!(survey(&super::config(directory.path())).unwrap().rows, 4);
    write("d.parquet", Arc::new(StringArray::from(vec!["x"]).slice(0, 1)));
    assert_eq!(survey(&super::config(directory.path())).unwrap().rows, 5);
    let nested =
        datafusion::arrow::array::ListArray::from_iter_primitive::<datafusion::arrow::datatypes::Int64Type, _, _>([
            Some([Some(1)]),
        ]);
    write("e.parquet", Arc::new(nested));
    refused(&super::config(directory.path()), &["column `user_id`", "e.parquet"]);
}

#[test]
fn a_record_without_end_is_refused_before_it_fills_the_memory() {
    let array = format!("[{}]", "{\"user_id\": 1},".repeat(2 << 20));
    let (_dir, config) = logs(&[("a.json", &array)]);
    refused(&config, &["a.json", "longer than 16 MiB"]);
    let (_dir, config) = logs(&[("a.csv", &format!("{GOOD}\"{}", "1,1,1,1\n".repeat(3 << 20)))]);
    refused(&config, &["a.csv", "longer than 16 MiB", "after line 4"]);
}

fn with_items(items: &str, log: &str) -> (TempDir, Config) {
    let (directory, config) = logs(&[("log/a.csv", log), ("items.csv", items)]);
    let path = directory.path().join("log").to_str().unwrap().to_owned();
    let config = Config { path, items: Some(directory.path().join("items.csv")), ..config };
    (directory, config)
}

#[test]
fn items_that_cannot_be_mapped_are_bad_rows_and_a_wrong_items_file_is_refused() {
    let log = "user_id,item_id,timestamp\n1,a,1\n1,b,2\n1,c,3\n1,d,4\n1,,5\n";
    let items = |rows: &str| with_items(&format!("item_id,cluster_id,title\n{rows}"), log);
    let (_dir, config) = items("a,1,x\nb,2,y\nb,2,y\nd,99,z\n,5,\n");
    assert_eq!(bad(&config), [(Reason::NoItem, 1), (Reason::UnmappedItem, 1), (Reason::UnknownCluster, 1)]);
    let (_dir, config) = items("a,1,x\nb,two,y\n");
    refused(&config, &["items.csv", "line 3: `two` is no cluster id"]);
    let (_dir, config) = items("a,1,x\na,2,y\n");
    refused(&config, &["items.csv", "item a is mapped to clusters 1 and 2"]);
    let (_dir, config) = with_items("item,cluster_id\na,1\n", log);
    refused(&config, &["items.csv has no column `item_id`", "did you mean `item`?"]);
    let (_dir, config) = items("");
    let nowhere = Config { items: Some(Path::new("nowhere.csv").to_owned()), ..config };
    refused(&nowhere, &["nowhere.csv"]);
}

#[test]
fn config_values_that_cannot_be_are_refused() {
    let (_dir, config) = logs(&[("a.csv", GOOD)]);
    refused(&Config { max_bad_share: 1.5, ..config.clone() }, &["max_bad_share = 1.5"]);
    for gap in [Duration::ZERO, Duration::from_secs(u64::MAX)] {
        refused(&Config { sequence: Sequence::Gap(gap), ..config.clone() }, &["[interactions] sequence"]);
    }
    run(async {
        let log = Log::open(&config, &taxonomy(10)).await.unwrap();
        for k in [0, 5] {
            assert!(matches!(log.count(k, &Window::default()).await, Err(Error::KeyLength(found)) if found == k));
        }
    });
}
