//! Edges of time, of paths and of counts made elsewhere.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, Int64Array, TimestampNanosecondArray};
use futures::TryStreamExt;
use segue::interactions::{Config, CountsFile, Log, Sequence, Window};

use super::files::{write_parquet, write_text};
use super::{Row, config, flat, rows, run, taxonomy};

fn counted(config: &Config, k: usize, window: &Window) -> Vec<Row> {
    run(async { rows(&Log::open(config, &taxonomy(10)).await.unwrap(), k, window).await.unwrap() })
}

fn nanoseconds(directory: &Path, events: &[(i64, i64)]) -> Config {
    let users = Int64Array::from(vec![1; events.len()]);
    let clusters: Int64Array = events.iter().map(|event| Some(event.0)).collect();
    let times: TimestampNanosecondArray = events.iter().map(|event| Some(event.1)).collect();
    let columns: Vec<(&str, ArrayRef)> =
        vec![("user_id", Arc::new(users)), ("cluster_id", Arc::new(clusters)), ("timestamp", Arc::new(times))];
    let path = directory.join("log.parquet");
    write_parquet(&path, columns);
    config(&path)
}

#[test]
fn nanoseconds_order_and_bound() {
    let directory = tempfile::tempdir().unwrap();
    let base = 1_700_000_000_000_000_000;
    let config = nanoseconds(directory.path(), &[(5, base + 2), (3, base), (4, base + 1), (2, base + 1)]);
    assert_eq!(counted(&config, 3, &Window::default()), [(vec![3, 2, 4, 5], 1)]);
    let window = |from: &str, to: &str| Window::parse(Some(from), Some(to)).unwrap();
    let within = window("2023-11-14T22:13:20.000000001Z", "2023-11-14T22:13:20.000000002Z");
    assert_eq!(counted(&config, 1, &within), [(vec![2, 4], 1)]);
}

#[test]
fn a_pause_of_just_the_gap_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let second = 1_000_000_000;
    let events = [(1, 0), (2, 3 * second / 2), (3, 3 * second + 1), (4, 3 * second + 2)];
    let config = nanoseconds(directory.path(), &events);
    let config = Config { sequence: Sequence::Gap(Duration::from_millis(1500)), ..config };
    assert_eq!(counted(&config, 1, &Window::default()), [(vec![1, 2], 1), (vec![3, 4], 1)]);
}

#[test]
fn times_that_cannot_be_are_bad_rows_not_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let text = "user_id,cluster_id,timestamp\n1,1,2026-01-01\n1,2,2026-01-01T00:00:01Z\n1,3,9999-12-31\n1,4,0001-01-01\n\
                1,5,2300-01-01\n1,6,2026-02-30\n1,7,2026-01-01T03:00:02+03:00\n";
    write_text(&directory.path().join("log.csv"), text);
    let config = Config { max_bad_share: 0.6, ..config(directory.path()) };
    for sequence in [Sequence::User, Sequence::UserMonth, Sequence::Gap(Duration::from_secs(60 * 365 * 86_400))] {
        let config = Config { sequence, ..config.clone() };
        assert_eq!(counted(&config, 2, &Window::default()), [(vec![1, 2, 7], 1)]);
    }
    let far = Window::parse(Some("0001-01-01"), Some("9999-12-31")).unwrap();
    assert_eq!(counted(&config, 2, &far), [(vec![1, 2, 7], 1)]);
    assert!(counted(&config, 2, &Window::parse(Some("9000-01-01"), None).unwrap()).is_empty());
}

#[test]
fn partitions_of_a_path_are_columns() {
    let directory = tempfile::tempdir().unwrap();
    for (day, cluster) in [("2026-01-01", 1), ("2026-01-02", 2), ("2026-01-03", 3)] {
        let below = directory.path().join(format!("date={day}/hour=07"));
        fs::create_dir_all(&below).unwrap();
        nanoseconds(&below, &[(cluster, cluster * 10), (cluster + 3, cluster * 10 + 1)]);
    }
    for (expression, expected) in [
        ("date >= '2026-01-02'", vec![(vec![2, 5], 1), (vec![3, 6], 1), (vec![5, 3], 1)]),
        ("date = DATE '2026-01-01' AND hour < 8", vec![(vec![1, 4], 1)]),
    ] {
        let config = Config { positive: Some(expression.to_owned()), ..config(directory.path()) };
        assert_eq!(counted(&config, 1, &Window::default()), expected, "{expression}");
    }
}

fn read(text: &str) -> Result<(usize, Vec<Row>), String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("counts.csv");
    write_text(&path, text);
    let read = async {
        let file = CountsFile::open(&path, &Config::default(), &taxonomy(20))?;
        Ok((file.k(), flat(file.count().await?.try_collect().await?)))
    };
    run(read).map_err(|error: segue::interactions::Error| error.to_string())
}

#[test]
fn counts_made_elsewhere_are_read_in_any_order() {
    let text = "c1,c2,next,count\n10,2,3,1\n2,10,4,5\n2,10,3,7\n2,3,1,9223372036854775807\n";
    let expected =
        vec![(vec![2, 3, 1], i64::MAX as u64), (vec![2, 10, 3], 7), (vec![2, 10, 4], 5), (vec![10, 2, 3], 1)];
    assert_eq!(read(text), Ok((2, expected)));
    assert_eq!(read("c1,next,count\n"), Ok((1, vec![])));
}

#[test]
fn wrong_counts_are_named_with_their_line() {
    for (text, problem) in [
        ("c1,c2,count\n", "line 1: the header must be c1,...,ck,next,count"),
        ("c1,c2,c3,c4,c5,next,count\n", "line 1: the header must be"),
        ("next,count\n", "line 1: the header must be"),
        ("c1,next,count\n1,2,3\n1,99,3\n", "line 3: cluster 99 is not in the clusters file"),
        ("c1,next,count\n1,2,3\n1,-3,3\n", "line 3: cluster -3 is not in the clusters file"),
        ("c1,next,count\n1,2,0\n", "line 2: the count is 0"),
        ("c1,next,count\n1,2,-1\n", "line 2: the count is -1"),
        ("c1,next,count\n1,2,1.5\n", "line 2: expected 3 whole numbers"),
        ("c1,next,count\n1,2,3\n1,,3\n", "line 3: expected 3 whole numbers"),
        ("c1,next,count\n1,2\n", "line 2: expected 3 whole numbers"),
        ("c1,c2,next,count\n1,2,1,3\n", "line 2: cluster 1 stands twice"),
        ("c1,c2,next,count\n1,1,2,3\n", "line 2: cluster 1 stands twice"),
        ("c1,next,count\n1,2,3\n1,3,3\n1,2,4\n", "line 4: the transition stands in line 2 already"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(problem) && error.contains("counts.csv"), "{error}");
    }
}

/// Bounds finer than the log's own times select what they say, in every unit.
#[test]
fn bounds_between_two_times_of_the_log_are_exact() {
    use segue::interactions::TimestampUnit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    let directory = tempfile::tempdir().unwrap();
    for (unit, second) in [(Seconds, 1), (Milliseconds, 1_000), (Microseconds, 1_000_000), (Nanoseconds, 1_000_000_000)]
    {
        for first in [-3, 3_600] {
            let time = |at: i64| (first + at) * second;
            let text = format!("user_id,cluster_id,timestamp\n1,1,{}\n1,2,{}\n1,3,{}\n", time(0), time(1), time(2));
            write_text(&directory.path().join("log.csv"), &text);
            let config = Config { timestamp_unit: Some(unit), ..config(directory.path()) };
            let at = |seconds: i64, nanoseconds: i64| {
                chrono::DateTime::from_timestamp_nanos((first + seconds) * 1_000_000_000 + nanoseconds)
            };
            for (from, to, expected) in [
                (at(0, 0), at(2, 1), vec![(vec![1, 2], 1), (vec![2, 3], 1)]),
                (at(0, 1), at(2, 1), vec![(vec![2, 3], 1)]),
                (at(0, -1), at(2, 0), vec![(vec![1, 2], 1)]),
                (at(0, 0), at(1, 1), vec![(vec![1, 2], 1)]),
            ] {
                let window = Window { from: Some(from), to: Some(to) };
                assert_eq!(counted(&config, 1, &window), expected, "{unit:?} {window}");
            }
        }
    }
}

#[test]
fn a_column_without_values_is_null_in_the_expression() {
    let directory = tempfile::tempdir().unwrap();
    let text = "user_id,cluster_id,timestamp,is_like,rating\n1,1,2026-01-01,,8\n1,2,2026-01-02,,9\n";
    write_text(&directory.path().join("log.csv"), text);
    for positive in ["is_like IS NOT TRUE", "coalesce(is_like, TRUE)", "rating > 7 AND is_like IS NULL"] {
        let config = Config { positive: Some(positive.to_owned()), ..config(directory.path()) };
        assert_eq!(counted(&config, 1, &Window::default()), [(vec![1, 2], 1)], "{positive}");
    }
}

#[test]
fn whole_numbers_may_be_written_with_a_fraction_of_nothing() {
    let directory = tempfile::tempdir().unwrap();
    write_text(&directory.path().join("log.csv"), "user_id,cluster_id,timestamp\n1,1.0,2026-01-01\n1,2.0,2026-01-02\n");
    assert_eq!(counted(&config(directory.path()), 1, &Window::default()), [(vec![1, 2], 1)]);
}
