//! The table itself: built once, published, and swapped in and mapped as a server has it.

use std::fs::File;
use std::path::Path;

use segue::ids::{ClusterId, VersionId};
use segue::store::live::{Live, LiveConfig, ReloadReport, Watcher};
use segue::store::{Admit, Config, Note, Provenance, Store, TaxonomyChange};
use segue::table::{BuildLimits, Lineage, Shape, TableBuilder};
use segue::taxonomy::Taxonomy;

use crate::keys::{KeySet, WIDTH};

pub(crate) const CHANNEL: &str = "main";

/// Builds and publishes the table, unless the store has it.
pub(crate) fn store(dir: &Path, keys: &KeySet) -> Store {
    let path = dir.join("store").to_str().unwrap().to_owned();
    let store = Store::open(&Config { path, admit: Admit::Any, ..Config::default() }).unwrap();
    if store.versions().unwrap().is_empty() {
        let mut draft = store.draft().unwrap();
        write(draft.table(), keys, dir);
        store.add(draft, Provenance::default()).unwrap();
    }
    if store.channels().unwrap().is_empty() {
        store.publish(CHANNEL, VersionId(1), &Note::default(), TaxonomyChange::Refused).unwrap();
    }
    store
}

fn write(file: &mut File, keys: &KeySet, spill_dir: &Path) {
    let taxonomy = Taxonomy::new((0..keys.clusters()).map(|id| (ClusterId(id), format!("cluster {id}")))).unwrap();
    let shape = Shape { k: keys.k(), width: WIDTH };
    let limits = BuildLimits { spill_dir: spill_dir.to_owned(), ..BuildLimits::default() };
    let mut builder = TableBuilder::new(file, &taxonomy, shape, limits).unwrap();
    let mut row = Vec::with_capacity(WIDTH);
    for len in (1..=keys.k()).rev() {
        keys.for_each(len, |key| {
            keys.fill(&mut row, &key);
            let clusters: Vec<_> = key.clusters().iter().map(|&id| ClusterId(id)).collect();
            builder.push(&clusters, &row).unwrap();
        });
    }
    builder.finish(&Lineage::default(), &[]).unwrap();
}

/// The watcher must be kept for as long as the table is used.
pub(crate) fn swap_in(store: Store) -> (Watcher, Live) {
    let source = File::open(store.table_path(VersionId(1))).unwrap();
    let (watcher, live) = Watcher::start(store, LiveConfig::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ReloadReport { refused } = runtime.block_on(watcher.reloader().reload());
    assert!(refused.is_empty(), "{refused:?}");
    // The peers need the room that the store's own file has in the page cache.
    let _ = rustix::fs::fadvise(&source, 0, None, rustix::fs::Advice::DontNeed);
    (watcher, live)
}
