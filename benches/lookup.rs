//! In-process lookups: a full table of 761 clusters (cache-sized), and 50 million keys (memory-sized).
//!
//! Every lookup depends on the answer before it, as a caller's next question depends on nothing being known yet: the
//! time is that of one lookup alone, not of many overlapped by the processor.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Seek};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segue::ids::ClusterId;
use segue::lookup::{ClusterSet, DEFAULT_MAX_HISTORY, Query, Rules, Scratch, lookup};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, Table, TableBuilder};
use segue::taxonomy::Taxonomy;

const WIDTH: usize = 8;

/// A table with a row for every pair of `clusters` clusters and for every single one.
fn full_table(clusters: u32) -> Table<Vec<u8>> {
    let taxonomy = Taxonomy::new((0..clusters).map(|id| (ClusterId(id), format!("cluster {id}")))).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    let mut builder =
        TableBuilder::new(&mut file, &taxonomy, Shape { k: 2, width: WIDTH }, BuildLimits::default()).unwrap();
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
    read_back(file)
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

fn read_back(mut file: File) -> Table<Vec<u8>> {
    let mut bytes = Vec::with_capacity(file.metadata().unwrap().len() as usize);
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    Table::open(bytes).unwrap()
}

fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ seed >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 29
}

/// A chain of questions, each made from the answer before it.
struct Chain<'t> {
    table: &'t Table<Vec<u8>>,
    clusters: u64,
    at: u64,
    scratch: Scratch,
    blocklist: ClusterSet,
}

impl<'t> Chain<'t> {
    fn new(table: &'t Table<Vec<u8>>) -> Self {
        let clusters = table.taxonomy().clusters().len() as u64;
        Self { table, clusters, at: 1, scratch: Scratch::default(), blocklist: ClusterSet::default() }
    }

    fn next(&mut self, limit: u32, exclude: &[u32]) {
        let (first, second) = ((self.at >> 32) % self.clusters, self.at % self.clusters);
        let history = [first as u32, second as u32];
        let rules = Rules { blocklist: &self.blocklist, max_history: DEFAULT_MAX_HISTORY };
        let query = Query { history: &history, limit, exclude };
        let answer = lookup(self.table, rules, query, &mut self.scratch).unwrap();
        let told = answer.predictions.first().map_or(0, |prediction| prediction.cluster.0);
        self.at = mix(self.at ^ u64::from(black_box(told)));
    }
}

fn bench(criterion: &mut Criterion, name: &str, clusters: u32) {
    let table = full_table(clusters);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(5));
    for limit in [1, WIDTH as u32] {
        let mut chain = Chain::new(&table);
        group.bench_function(format!("limit {limit}"), |bencher| bencher.iter(|| chain.next(limit, &[])));
    }
    group.finish();
}

fn cache_sized(criterion: &mut Criterion) {
    bench(criterion, "761 clusters, k = 2", 761);
}

fn memory_sized(criterion: &mut Criterion) {
    // 7,072 * 7,071 pairs: 50,006,112 keys in 4 GB. `cargo test --benches` builds a small one.
    let clusters = if std::env::args().any(|arg| arg == "--test") { 100 } else { 7072 };
    bench(criterion, "50 million keys, k = 2", clusters);
}

criterion_group!(benches, cache_sized, memory_sized);
criterion_main!(benches);
