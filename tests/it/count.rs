//! Counting: against known figures, a naive model, and bad input.

mod bad;
mod edges;
mod files;
mod held_out;
mod known;
mod model;
mod same;
mod spill;

use std::future::Future;
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use segue::ids::ClusterId;
use segue::interactions::{Config, Error, KeyCounts, Log, Window};
use segue::taxonomy::Taxonomy;

/// Clusters 0 to `count` - 1.
pub(crate) fn taxonomy(count: u32) -> Taxonomy {
    Taxonomy::new((0..count).map(|id| (ClusterId(id), format!("keyword {id}")))).unwrap()
}

pub(crate) fn config(path: &Path) -> Config {
    Config { path: path.to_str().unwrap().to_owned(), ..Config::default() }
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// A transition: its key and next, with its count.
type Row = (Vec<u32>, u64);

async fn rows(log: &Log, k: usize, window: &Window) -> Result<Vec<Row>, Error> {
    Ok(flat(log.count(k, window).await?.try_collect().await?))
}

fn flat(keys: Vec<KeyCounts>) -> Vec<Row> {
    let row = |key: &[ClusterId], next: ClusterId| key.iter().chain([&next]).map(|id| id.0).collect();
    keys.iter().flat_map(|keyed| keyed.next.iter().map(move |&(next, count)| (row(&keyed.key, next), count))).collect()
}

/// The development data, if it is there.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/movietweetings").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is absent", path.display());
    None
}
