//! In-process lookups: a full table of 761 clusters (cache-sized), and 50 million keys (memory-sized), each published,
//! swapped in and mapped as a server has it, beside one dependent random read of the same mapping: what the memory
//! alone takes.
//!
//! ```text
//! cargo bench --bench lookup [-- 761]
//! ```
//!
//! Every lookup depends on the answer before it: the time is that of one lookup alone, not of many that the processor
//! overlaps.

// What a bench cannot set up it cannot measure.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segue::ids::ClusterId;
use segue::lookup::{DEFAULT_MAX_HISTORY, Query, Rules, Scratch, lookup};
use segue::store::live::{Live, LiveConfig, Snapshot, Watcher};
use segue::store::{Config, Note, Provenance, Store, TaxonomyChange};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, TableBuilder};
use segue::taxonomy::Taxonomy;

const CHANNEL: &str = "main";
const WIDTH: usize = 8;

/// Publishes a table with a row for every pair of `clusters` clusters and for every single one.
fn publish_full_table(store: &Store, clusters: u32) {
    let taxonomy = Taxonomy::new((0..clusters).map(|id| (ClusterId(id), format!("cluster {id}")))).unwrap();
    let mut draft = store.draft().unwrap();
    let shape = Shape { k: 2, width: WIDTH };
    let mut builder = TableBuilder::new(draft.table(), &taxonomy, shape, BuildLimits::default()).unwrap();
    let mut row = Vec::with_capacity(WIDTH);
    for (first, second) in (0..clusters).flat_map(|first| (0..clusters).map(move |second| (first, second))) {
        if first != second {
            fill(&mut row, &[first, second], clusters);
            builder.push(&[ClusterId(first), ClusterId(second)], &row).unwrap();
        }
    }
    for only in 0..clusters {
        fill(&mut row, &[only], clusters);
        builder.push(&[ClusterId(only)], &row).unwrap();
    }
    builder.finish(&Lineage::default(), &[]).unwrap();
    let version = store.add(draft, Provenance::default()).unwrap().version;
    store.publish(CHANNEL, version, &Note::default(), TaxonomyChange::Refused).unwrap();
}

fn fill(row: &mut Vec<Candidate>, key: &[u32], clusters: u32) {
    row.clear();
    let mut at = key.iter().fold(1, |seed: u64, &id| mix(seed ^ u64::from(id)));
    while row.len() < WIDTH {
        at = mix(at);
        let cluster = ClusterId((at % u64::from(clusters)) as u32);
        if !key.contains(&cluster.0) && row.iter().all(|seen| seen.cluster != cluster) {
            row.push(Candidate { cluster, score: Score::ONE, source: Source::Retrieved });
        }
    }
}

fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ seed >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 29
}

fn swap_in(dir: &Path, clusters: u32) -> (Watcher, Live) {
    let path = dir.to_str().unwrap().to_owned();
    let store = Store::open(&Config { path, ..Config::default() }).unwrap();
    publish_full_table(&store, clusters);
    let (watcher, live) = Watcher::start(store, LiveConfig::default()).unwrap();
    while live.load().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    (watcher, live)
}

/// A chain of questions, each made from the answer before it.
struct Chain<'s> {
    snapshot: &'s Snapshot,
    clusters: u64,
    at: u64,
    scratch: Scratch,
}

impl<'s> Chain<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let clusters = snapshot.table.taxonomy().clusters().len() as u64;
        Self { snapshot, clusters, at: 1, scratch: Scratch::default() }
    }

    fn lookup(&mut self, limit: u32) {
        let history = [((self.at >> 32) % self.clusters) as u32, (self.at % self.clusters) as u32];
        let rules = Rules { blocklist: &self.snapshot.blocklist, max_history: DEFAULT_MAX_HISTORY };
        let query = Query { history: &history, limit, exclude: &[] };
        let answer = lookup(&self.snapshot.table, rules, query, &mut self.scratch).unwrap();
        let told = answer.predictions.first().map_or(0, |prediction| prediction.cluster.0);
        self.at = mix(self.at ^ u64::from(black_box(told)));
    }

    fn read(&mut self) {
        let bytes = self.snapshot.table.bytes().as_ref();
        let lines = bytes.len() as u128 / 64;
        let line = ((u128::from(self.at) * lines) >> 64) as usize * 64;
        self.at = mix(self.at ^ u64::from(black_box(bytes[line])));
    }
}

fn bench(criterion: &mut Criterion, name: &str, clusters: u32) {
    let dir = tempfile::tempdir().unwrap();
    let (_watcher, live) = swap_in(dir.path(), clusters);
    let channels = live.load();
    let snapshot = channels.get(CHANNEL).unwrap();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(5));
    let mut chain = Chain::new(snapshot);
    group.bench_function("one random read", |bencher| bencher.iter(|| chain.read()));
    for limit in [1, WIDTH as u32] {
        group.bench_function(format!("lookup, limit {limit}"), |bencher| bencher.iter(|| chain.lookup(limit)));
    }
    group.finish();
}

/// `cargo test --benches` runs everything once, on small tables.
fn sized(clusters: u32) -> u32 {
    if std::env::args().any(|arg| arg == "--test") { 50 } else { clusters }
}

fn cache_sized(criterion: &mut Criterion) {
    bench(criterion, "761 clusters, k = 2", sized(761));
}

fn memory_sized(criterion: &mut Criterion) {
    // 7,072 * 7,071 pairs: 50,006,112 keys in 4 GB.
    bench(criterion, "50 million keys, k = 2", sized(7072));
}

criterion_group!(benches, cache_sized, memory_sized);
criterion_main!(benches);
