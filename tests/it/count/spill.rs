//! Bounded memory: what does not fit is spilled, and the counts stay the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use datafusion::arrow::array::{ArrayRef, Int64Array, TimestampMillisecondArray};
use segue::interactions::{Config, Error, Log, Sequence, Window};

use super::files::write_parquet;
use super::{config, rows, run, taxonomy};

const CLUSTERS: u32 = 40;
/// A few per cent of what the log takes in the engine.
const LITTLE: ByteSize = ByteSize(4 << 20);

/// A log of 2,500 users with 30 interactions each.
fn write_log(directory: &Path) -> Config {
    const USERS: i64 = 2_500;
    let events = 0..USERS * 30;
    let clusters = events.clone().map(|at| mixed(at) % i64::from(CLUSTERS));
    let times = events.clone().map(|at| Some(at / USERS * 3_600_000 + mixed(-at) % 3_600_000));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("user_id", Arc::new(events.map(|at| at % USERS).collect::<Int64Array>())),
        ("cluster_id", Arc::new(clusters.collect::<Int64Array>())),
        ("timestamp", Arc::new(times.collect::<TimestampMillisecondArray>())),
    ];
    let path = directory.join("log.parquet");
    write_parquet(&path, columns);
    Config { spill_dir: Some(directory.to_owned()), ..config(&path) }
}

/// A well-mixed number from 0 on.
fn mixed(seed: i64) -> i64 {
    let mut z = seed.wrapping_mul(-0x61C8_8646_80B5_83EB);
    z = (z ^ (z >> 30)).wrapping_mul(-0x40A7_B892_E31B_1A47);
    z = (z ^ (z >> 27)).wrapping_mul(-0x6B2F_B644_ECCE_EE15);
    (z ^ (z >> 31)) & i64::MAX
}

async fn count(config: &Config) -> Result<Vec<super::Row>, Error> {
    rows(&Log::open(config, &taxonomy(CLUSTERS)).await?, 2, &Window::default()).await
}

#[test]
fn spilling_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let base = write_log(directory.path());
    run(async {
        for (sequence, min_users) in
            [(Sequence::User, 1), (Sequence::UserDay, 2), (Sequence::Gap(Duration::from_secs(3600)), 1)]
        {
            let ample = Config { sequence, min_users, ..base.clone() };
            let tight = Config { memory: LITTLE, ..ample.clone() };
            let expected = count(&ample).await.unwrap();
            assert!(expected.len() > 100);
            assert!(count(&tight).await.unwrap() == expected, "{sequence:?}");
        }
    });
}

#[test]
fn only_little_memory_needs_the_spill_directory_and_its_loss_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let base = write_log(directory.path());
    run(async {
        for (memory, spills) in [(Config::default().memory, false), (LITTLE, true)] {
            let spill = directory.path().join("spill");
            fs::create_dir(&spill).unwrap();
            let config = Config { spill_dir: Some(spill.clone()), memory, ..base.clone() };
            let log = Log::open(&config, &taxonomy(CLUSTERS)).await.unwrap();
            fs::remove_dir_all(&spill).unwrap();
            let counted = rows(&log, 2, &Window::default()).await;
            if spills {
                let error = counted.unwrap_err();
                assert!(matches!(&error, Error::Spill { directory, .. } if *directory == spill), "{error}");
            } else {
                assert!(counted.is_ok());
            }
        }
    });
}

#[test]
fn a_spill_directory_that_cannot_be_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let base = write_log(directory.path());
    let spill = directory.path().join("log.parquet").join("below a file");
    let error = run(count(&Config { spill_dir: Some(spill.clone()), ..base })).unwrap_err().to_string();
    assert!(error.contains(&spill.display().to_string()) && error.contains("[interactions] spill"), "{error}");
}
