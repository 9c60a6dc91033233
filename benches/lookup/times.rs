//! Times of single operations, by criterion.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use segue::store::live::Snapshot;

use crate::keys::{Draw, KeySet};
use crate::sides::{Kind, chain, lookups, reads};

pub(crate) fn measure(snapshot: &Snapshot, keys: &KeySet) {
    let mut criterion = Criterion::default().measurement_time(Duration::from_secs(5));
    let mut group = criterion.benchmark_group(keys.name);
    group.throughput(Throughput::Elements(1));
    for draw in [Draw::Uniform, Draw::zipf(keys.total())] {
        let bytes = snapshot.table.bytes().as_ref();
        let mut read = chain(draw, reads(bytes));
        let mut state = 1;
        group.bench_function(format!("one random read, {}", draw.name()), |bencher| {
            bencher.iter(|| state = read(state, 1))
        });
        for kind in Kind::ALL {
            let mut lookup = chain(draw, lookups(snapshot, keys, kind));
            group.bench_function(format!("{}, {}", kind.name(), draw.name()), |bencher| {
                bencher.iter(|| state = lookup(state, 1))
            });
        }
    }
    group.finish();
}
