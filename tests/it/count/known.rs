//! Figures that an independent script found in the development data.

use std::collections::HashMap;

use futures::TryStreamExt;
use segue::interactions::{
    ClustersConfig, Config, CountsFile, KeyCounts, Log, Sequence, Window, load_taxonomy, write_counts,
};
use segue::taxonomy::Taxonomy;

use super::{config, flat, rows, run, shared};

fn movietweetings() -> Option<(Config, Taxonomy)> {
    let config = Config { positive: Some("rating >= 7".to_owned()), ..config(&shared("interactions.parquet")?) };
    let taxonomy = load_taxonomy(&ClustersConfig { path: shared("clusters.csv")? }).unwrap();
    Some((config, taxonomy))
}

#[test]
fn the_whole_log_gives_the_known_figures() {
    let Some((config, taxonomy)) = movietweetings() else { return };
    run(async {
        let log = Log::open(&config, &taxonomy).await.unwrap();
        let span = log.span().await.unwrap();
        assert_eq!((span.first.date_naive().to_string(), span.newest.date_naive().to_string()), known_span());
        let report = log.report(&Window::default()).await.unwrap();
        assert_eq!((report.rows, report.bad_rows()), (141_581, 0));
        let keys: Vec<KeyCounts> = log.count(2, &Window::default()).await.unwrap().try_collect().await.unwrap();
        assert_eq!(keys.len(), 5_681);
        let rows = flat(keys);
        assert_eq!((rows.len(), rows.iter().map(|(_, count)| count).sum::<u64>()), (28_822, 42_480));
        assert_eq!(rows.iter().max_by_key(|(_, count)| count).unwrap(), &(vec![3, 0, 10], 25));
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0));
    });
}

fn known_span() -> (String, String) {
    ("2013-02-28".to_owned(), "2013-11-06".to_owned())
}

#[test]
fn items_joined_to_their_clusters_count_the_same() {
    let Some((direct, taxonomy)) = movietweetings() else { return };
    let mut by_item = Config { items: Some(shared("items.csv").unwrap()), ..direct.clone() };
    by_item.columns.cluster = "no such column".to_owned();
    run(async {
        let mut counts = HashMap::new();
        for (name, config) in [("direct", direct), ("by item", by_item)] {
            let log = Log::open(&config, &taxonomy).await.unwrap();
            counts.insert(name, rows(&log, 2, &Window::default()).await);
        }
        assert_eq!(counts["by item"].as_ref().unwrap(), counts["direct"].as_ref().unwrap());
    });
}

#[test]
fn written_counts_read_back_as_they_were() {
    let Some((config, taxonomy)) = movietweetings() else { return };
    let directory = tempfile::tempdir().unwrap();
    run(async {
        let config = Config { sequence: Sequence::UserMonth, ..config };
        let log = Log::open(&config, &taxonomy).await.unwrap();
        for k in 1..=4 {
            let path = directory.path().join(format!("counts{k}.csv"));
            let counts = log.count(k, &Window::default()).await.unwrap();
            let file = std::fs::File::create(&path).unwrap();
            let written = write_counts(counts, k, file).await.unwrap();
            let counts = CountsFile::open(&path, &config, &taxonomy).unwrap();
            assert_eq!(counts.k(), k);
            let read = flat(counts.count().await.unwrap().try_collect().await.unwrap());
            assert_eq!(read.len() as u64, written);
            assert_eq!(read, rows(&log, k, &Window::default()).await.unwrap());
        }
    });
}
