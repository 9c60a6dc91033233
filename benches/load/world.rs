//! What is asked and answered: a table with a row for every ordered pair of clusters, known without looking.

use std::path::Path;

use segue::ids::ClusterId;
use segue::proto::{BatchLookupRequest, LookupRequest, LookupResponse, Prediction};
use segue::store::{Config, Note, Provenance, Store, TaxonomyChange};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, TableBuilder};
use segue::taxonomy::Taxonomy;

use super::Outcome;

/// From here to 16,383 an id takes two bytes on the wire, so that all answers are equally long.
const FIRST_ID: u32 = 128;
const WIDTH: usize = 8;
/// Lookups in a batch.
pub(super) const BATCH: usize = 256;

/// Units that ask: each of them more than once in a run, so that its exposure is new at its first question only.
const UNITS: usize = 1 << 16;

/// The experiment that a dealing server runs, as `--set` takes it. Both arms read the same channel, and all names are
/// of one length, so that all answers are equally long.
pub(super) const EXPERIMENT: &str = r#"experiments=[{name="e",salt="s",arms=[{name="a",weight=0.5,channel="main"},{name="b",weight=0.5,channel="main"}]}]"#;

/// Two clusters, the older first.
pub(super) type Pair = [u32; 2];

#[derive(Clone, Copy)]
pub(super) struct World {
    pub(super) clusters: u32,
    pub(super) limit: u32,
}

impl World {
    /// Every key of the table.
    pub(super) fn pairs(self) -> impl Iterator<Item = Pair> {
        let ids = FIRST_ID..FIRST_ID + self.clusters;
        ids.clone().flat_map(move |first| ids.clone().map(move |second| [first, second])).filter(|[a, b]| a != b)
    }

    /// Keys at random, uniform and always the same.
    pub(super) fn random_pairs(self) -> impl Iterator<Item = Pair> {
        let mut at = 1;
        std::iter::repeat_with(move || {
            at = mix(at + 0x9e37_79b9);
            [at >> 32, at & 0xffff_ffff].map(|half| FIRST_ID + ((half * u64::from(self.clusters)) >> 32) as u32)
        })
        .filter(|[first, second]| first != second)
    }

    pub(super) fn question(self, pair: Pair) -> LookupRequest {
        LookupRequest { history: pair.into(), limit: self.limit, ..LookupRequest::default() }
    }

    /// The question of one unit among many.
    pub(super) fn question_of(self, pair: Pair, at: usize) -> LookupRequest {
        LookupRequest { unit: format!("user {:05}", at % UNITS), ..self.question(pair) }
    }

    pub(super) fn questions(self, pairs: &[Pair]) -> BatchLookupRequest {
        BatchLookupRequest { lookups: pairs.iter().map(|&pair| self.question(pair)).collect() }
    }

    /// What the table says, and so what the server must.
    pub(super) fn answer(self, pair: Pair) -> LookupResponse {
        let prediction =
            |cluster| Prediction { cluster, score: 1.0, source: segue::proto::Source::Retrieved.into(), level: 2 };
        let predictions = self.successors(pair).map(prediction).take(self.limit as usize).collect();
        LookupResponse { predictions, version: 1, matched: 2, ..LookupResponse::default() }
    }

    /// The same with an experiment's and an arm's name.
    pub(super) fn answer_to_unit(self, pair: Pair) -> LookupResponse {
        LookupResponse { experiment: "e".into(), arm: "a".into(), ..self.answer(pair) }
    }

    /// A key like any other: all answers are equally long.
    pub(super) fn any_pair(self) -> Pair {
        [FIRST_ID, FIRST_ID + 1]
    }

    pub(super) fn rows(self) -> usize {
        self.clusters as usize * (self.clusters as usize - 1)
    }

    fn successors(self, [first, second]: Pair) -> impl Iterator<Item = u32> {
        let start = mix(u64::from(first) << 32 | u64::from(second)) as u32 % self.clusters;
        let others = (0..self.clusters).map(move |step| FIRST_ID + (start + step) % self.clusters);
        others.filter(move |&other| other != first && other != second)
    }

    /// Publishes the table as version 1 of a new store.
    pub(super) fn publish(self, dir: &Path) -> Outcome<()> {
        let path = dir.to_str().ok_or("the temporary directory's name is not UTF-8")?.to_owned();
        let store = Store::open(&Config { path, ..Config::default() })?;
        let ids = FIRST_ID..FIRST_ID + self.clusters;
        let taxonomy = Taxonomy::new(ids.map(|id| (ClusterId(id), format!("cluster {id}"))))?;
        let mut draft = store.draft()?;
        let limits = BuildLimits { memory: 256 << 20, spill_dir: dir.to_owned() };
        let mut builder = TableBuilder::new(draft.table(), &taxonomy, Shape { k: 2, width: WIDTH }, limits)?;
        for pair in self.pairs() {
            let row: Vec<_> = self.successors(pair).map(candidate).take(WIDTH).collect();
            builder.push(&pair.map(ClusterId), &row)?;
        }
        builder.finish(&Lineage::default(), &[])?;
        let version = store.add(draft, Provenance::default())?.version;
        let note = Note { who: "the bench".into(), why: "to be measured".into() };
        store.approve(version, &note)?;
        store.publish("main", version, &note, TaxonomyChange::Refused)?;
        Ok(())
    }
}

fn candidate(cluster: u32) -> Candidate {
    Candidate { cluster: ClusterId(cluster), score: Score::ONE, source: Source::Retrieved }
}

fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ seed >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}
