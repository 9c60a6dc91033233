//! What several tests need.

use std::io::Cursor;

use segue::ids::ClusterId;
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, Table, TableBuilder};
use segue::taxonomy::Taxonomy;

/// Rows by key, in cluster ids.
pub(crate) type Rows = Vec<(Vec<u32>, Vec<Candidate>)>;

/// Clusters with the ids given, called `cluster <id>`.
pub(crate) fn taxonomy(ids: impl IntoIterator<Item = u32>) -> Taxonomy {
    Taxonomy::new(ids.into_iter().map(|id| (ClusterId(id), format!("cluster {id}")))).unwrap()
}

pub(crate) fn retrieved(cluster: u32, score: u16) -> Candidate {
    Candidate { cluster: ClusterId(cluster), score: Score(score), source: Source::Retrieved }
}

pub(crate) fn popular(cluster: u32, score: u16) -> Candidate {
    Candidate { source: Source::Popular, ..retrieved(cluster, score) }
}

pub(crate) fn key(ids: &[u32]) -> Vec<ClusterId> {
    ids.iter().copied().map(ClusterId).collect()
}

/// A table's bytes, built from rows in the order that the builder asks for.
pub(crate) fn build(
    taxonomy: &Taxonomy,
    shape: Shape,
    rows: &Rows,
    popular: &[Candidate],
    limits: BuildLimits,
) -> Vec<u8> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
    let mut file = Cursor::new(Vec::new());
    let mut builder = TableBuilder::new(&mut file, taxonomy, shape, limits).unwrap();
    for (ids, candidates) in rows {
        builder.push(&key(ids), candidates).unwrap();
    }
    builder.finish(&Lineage::default(), popular).unwrap();
    file.into_inner()
}

/// Opens and proves.
pub(crate) fn verified(bytes: Vec<u8>) -> Table<Vec<u8>> {
    let table = Table::open(bytes).unwrap();
    table.verify().unwrap();
    table
}

/// A script of `tests/data`.
pub(crate) fn data(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A Python that has these modules; without one it is said that the test is skipped.
pub(crate) fn python_with(modules: &str) -> Option<String> {
    let python = std::env::var("SEGUE_PYTHON").unwrap_or_else(|_| "python3".into());
    let ran = std::process::Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    if ran.is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    eprintln!("SKIPPED: {python} lacks one of {modules}: set SEGUE_PYTHON to a Python that has them");
    None
}
