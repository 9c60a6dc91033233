//! The simulator: the same bytes for the same seed, and logs that follow the truth they tell.

mod files;
mod truth;
mod users;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{
    Array, BooleanArray, Float32Array, Int32Array, Int64Array, RecordBatch, TimestampMillisecondArray,
};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use segue::ids::ClusterId;
use segue::simulate::{Config, Engagement, Simulation};
use tempfile::TempDir;

const MS_PER_DAY: i64 = 86_400_000;

fn small() -> Config {
    Config { users: 300, days: 6, clusters: 24, items_per_cluster: 7, ..Config::default() }
}

/// Positives are exactly the interests, so that sequences can be held against the truth one by one.
fn without_chance(config: Config) -> Config {
    Config { engagement: Engagement { by_chance: 0.0, ..Engagement::default() }, ..config }
}

fn simulation(config: &Config) -> Simulation {
    Simulation::new(config).unwrap()
}

fn written(config: &Config) -> TempDir {
    let dir = TempDir::new().unwrap();
    simulation(config).write_all(dir.path(), |_| ()).unwrap();
    dir
}

/// Every file below `dir` with its bytes, by its path within.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![dir.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
    found
}

fn day_file(dir: &Path, kind: &str, config: &Config, day: u32) -> PathBuf {
    let date = simulation(config).date(day).unwrap();
    dir.join(kind).join(format!("date={date}")).join("part-0.parquet")
}

fn batches(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn column<A: Array + Clone + 'static>(batch: &RecordBatch, name: &str) -> A {
    batch.column_by_name(name).unwrap().as_any().downcast_ref::<A>().unwrap().clone()
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    user: i64,
    item: i64,
    cluster: ClusterId,
    time: i64,
    watch_ratio: f32,
    is_like: bool,
}

impl Row {
    fn is_positive(&self) -> bool {
        f64::from(self.watch_ratio) > 0.8 || self.is_like
    }
}

fn rows(path: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches(path) {
        let users: Int64Array = column(&batch, "user_id");
        let items: Int64Array = column(&batch, "item_id");
        let clusters: Int32Array = column(&batch, "cluster_id");
        let times: TimestampMillisecondArray = column(&batch, "timestamp");
        let ratios: Float32Array = column(&batch, "watch_ratio");
        let likes: BooleanArray = column(&batch, "is_like");
        rows.extend((0..batch.num_rows()).map(|at| Row {
            user: users.value(at),
            item: items.value(at),
            cluster: ClusterId(clusters.value(at).try_into().unwrap()),
            time: times.value(at),
            watch_ratio: ratios.value(at),
            is_like: likes.value(at),
        }));
    }
    rows
}

fn log(dir: &Path, config: &Config) -> Vec<Row> {
    (0..config.days).flat_map(|day| rows(&day_file(dir, "log", config, day))).collect()
}

/// Each user's positive clusters, once each, at their first time.
fn sequences(log: &[Row]) -> HashMap<i64, Vec<(ClusterId, i64)>> {
    let mut sequences: HashMap<i64, Vec<(ClusterId, i64)>> = HashMap::new();
    for row in log.iter().filter(|row| row.is_positive()) {
        let sequence = sequences.entry(row.user).or_default();
        if sequence.iter().all(|&(cluster, _)| cluster != row.cluster) {
            sequence.push((row.cluster, row.time));
        }
    }
    sequences
}

fn day_of(time: i64, config: &Config) -> u32 {
    let start = config.start.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis();
    ((time - start) / MS_PER_DAY).try_into().unwrap()
}
