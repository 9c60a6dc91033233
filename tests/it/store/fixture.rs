//! Small stores with tables that can be told apart.

use std::fs::File;
use std::path::Path;

use segue::ids::{ClusterId, VersionId};
use segue::lookup::{ClusterSet, Query, Rules, Scratch, lookup};
use segue::store::{Channel, Config, Judgement, Note, Provenance, State, Store, StoreError, TaxonomyChange};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, Table, TableBuilder};
use segue::taxonomy::Taxonomy;

/// Clusters of the fixture's taxonomy; their ids count from 0.
pub(crate) const CLUSTERS: u32 = 50;

/// The key that every table has, and whose prediction tells tables apart.
pub(crate) const KEY: [u32; 2] = [0, 1];

/// Tells a test that was started as a process of its own which store to work in.
pub(crate) const CHILD_STORE: &str = "SEGUE_TEST_STORE";

/// Opens the store in `dir`.
pub(crate) fn open(dir: &Path) -> Store {
    open_keeping(dir, 10)
}

pub(crate) fn open_keeping(dir: &Path, keep: usize) -> Store {
    let path = dir.to_str().unwrap().to_owned();
    Store::open(&Config { path, keep, ..Config::default() }).unwrap()
}

pub(crate) fn note(why: &str) -> Note {
    Note { who: "tester".into(), why: why.into() }
}

/// Adds a table that predicts [`predicted`] by `marker`.
pub(crate) fn add(store: &Store, marker: u32) -> VersionId {
    try_add(store, marker).unwrap()
}

pub(crate) fn try_add(store: &Store, marker: u32) -> Result<VersionId, StoreError> {
    let mut draft = store.draft()?;
    build(draft.table(), "c", marker);
    draft.judge(&passed())?;
    let provenance =
        Provenance { creator: "tester".into(), reason: format!("marker {marker}"), parent: None, changed: None };
    Ok(store.add(draft, provenance)?.version)
}

/// The judgement of a refresh whose gates let the version through.
pub(crate) fn passed() -> Judgement {
    judgement(State::Passed)
}

pub(crate) fn judgement(state: State) -> Judgement {
    let (who, why) = ("tester".into(), "the gates say so".into());
    let (at, findings, report) = (chrono::Utc::now(), Vec::new(), serde_json::Value::Null);
    Judgement { seq: 1, state, who, at, why, findings, report }
}

pub(crate) fn publish(store: &Store, channel: &str, version: VersionId) -> Channel {
    store.publish(channel, version, &note("a test"), TaxonomyChange::Refused).unwrap()
}

/// Writes a table whose clusters are called `<word> 0`, `<word> 1`, ...
pub(crate) fn build(file: &mut File, word: &str, marker: u32) {
    let taxonomy = Taxonomy::new((0..CLUSTERS).map(|id| (ClusterId(id), format!("{word} {id}")))).unwrap();
    let limits = BuildLimits { memory: 1 << 20, spill_dir: std::env::temp_dir() };
    let mut builder = TableBuilder::new(file, &taxonomy, Shape { k: 2, width: 8 }, limits).unwrap();
    let candidate = |source| Candidate { cluster: predicted(marker), score: Score::ONE, source };
    builder.push(&KEY.map(ClusterId), &[candidate(Source::Retrieved)]).unwrap();
    builder.push(&[ClusterId(KEY[1])], &[candidate(Source::Retrieved)]).unwrap();
    builder.finish(&Lineage::default(), &[candidate(Source::Popular)]).unwrap();
}

/// What a table of this marker predicts.
pub(crate) fn predicted(marker: u32) -> ClusterId {
    ClusterId(2 + marker % (CLUSTERS - 2))
}

/// What a table predicts for [`KEY`].
pub(crate) fn answer<B: AsRef<[u8]>>(table: &Table<B>, blocklist: &ClusterSet) -> Vec<ClusterId> {
    let rules = Rules { blocklist, max_history: 10 };
    let query = Query { history: &KEY, limit: 1, exclude: &[] };
    let mut scratch = Scratch::default();
    let answer = lookup(table, rules, query, &mut scratch).unwrap();
    answer.predictions.iter().map(|prediction| prediction.cluster).collect()
}

/// The names in a folder, in order.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
