//! Builder and reader against a `BTreeMap`, and damaged files against the verifier.

use std::collections::BTreeMap;
use std::io::Cursor;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use segue::ids::ClusterId;
use segue::table::{BuildError, BuildLimits, Candidate, Lineage, OpenError, Score, Shape, Source, Table, TableBuilder};

use crate::support::{Rows, build, key, popular, retrieved, taxonomy, verified};

fn limits(memory: usize) -> BuildLimits {
    BuildLimits { memory, ..BuildLimits::default() }
}

/// What a table holds, read row by row.
fn contents(table: &Table<Vec<u8>>) -> BTreeMap<Vec<ClusterId>, Vec<Candidate>> {
    let rows = (1..=table.k()).flat_map(|len| table.iter(len));
    rows.map(|(key, row)| {
        let candidate = |entry: segue::table::Entry| Candidate {
            cluster: table.cluster_id(entry.index),
            score: entry.score,
            source: entry.source,
        };
        (key, row.entries().map(candidate).collect())
    })
    .collect()
}

prop_compose! {
    /// Clusters with scattered ids, and rows over them.
    fn tables()(ids in btree_set(0u32..2_000_000, 8..40), k in 1usize..=4, width in 1usize..=10)(
        rows in btree_map(vec(0..ids.len(), 1..=k), vec((0..ids.len(), any::<u16>(), any::<bool>()), 1..=width), 0..120),
        ids in Just(ids), k in Just(k), width in Just(width), memory in prop_oneof![Just(1), 200usize..4_000, Just(1 << 20)],
    ) -> (Vec<u32>, Shape, Rows, usize) {
        let ids: Vec<u32> = ids.into_iter().collect();
        let rows = rows.into_iter().filter_map(|(at, row)| {
            let key: Vec<u32> = at.iter().map(|&at| ids[at]).collect();
            let distinct = (1..key.len()).all(|at| !key[..at].contains(&key[at]));
            let mut candidates: Vec<Candidate> = Vec::new();
            for (at, score, llm) in row {
                let source = if llm { Source::Llm } else { Source::Retrieved };
                let known = key.contains(&ids[at]) || candidates.iter().any(|seen| seen.cluster.0 == ids[at]);
                candidates.extend((!known).then_some(Candidate { source, ..retrieved(ids[at], score) }));
            }
            (distinct && !candidates.is_empty()).then_some((key, candidates))
        });
        (ids.clone(), Shape { k, width }, rows.collect(), memory)
    }
}

proptest! {
    #[test]
    fn a_table_holds_what_was_pushed((ids, shape, rows, memory) in tables(), absent in vec(0usize..8, 1..=4)) {
        let taxonomy = taxonomy(ids.iter().copied());
        let bytes = build(&taxonomy, shape, &rows, &[popular(ids[3], 9)], limits(memory));
        let table = verified(bytes.clone());
        let model: BTreeMap<_, _> = rows.iter().map(|(ids, row)| (key(ids), row.clone())).collect();
        prop_assert_eq!(contents(&table), model.clone());
        prop_assert_eq!(table.taxonomy(), &taxonomy);
        let by_len: Vec<u64> = table.sections().map(|section| section.rows).collect();
        let expected = (1..=shape.k).map(|len| model.keys().filter(|key| key.len() == len).count() as u64);
        prop_assert_eq!(by_len, expected.collect::<Vec<_>>());
        for key in model.keys().cloned().chain([absent.iter().map(|&at| ClusterId(ids[at])).collect()]) {
            let indices: Vec<u32> = key.iter().map(|&id| table.index_of(id).unwrap()).collect();
            prop_assert_eq!(table.find(&indices).is_some(), model.contains_key(&key));
        }
        // The bytes depend on the content alone: not on the order of rows, nor on what was spilled.
        let shuffled: Rows = rows.iter().rev().cloned().collect();
        let again = build(&taxonomy, shape, &shuffled, &[popular(ids[3], 9)], limits(1 << 20));
        prop_assert!(bytes == again);
    }

    #[test]
    fn damage_never_panics_and_is_always_found((ids, shape, rows, _) in tables(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = build(&taxonomy(ids.iter().copied()), shape, &rows, &[], limits(1 << 20));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(table) = Table::open(bytes) {
            contents(&table);
            table.find(&vec![u32::MAX; shape.k]);
            prop_assert!(table.verify().is_err(), "a flipped bit at {} was not found", at);
        }
    }

    #[test]
    fn a_cut_or_longer_file_does_not_open((ids, shape, rows, _) in tables(), cut in any::<prop::sample::Index>()) {
        let mut bytes = build(&taxonomy(ids.iter().copied()), shape, &rows, &[], limits(1 << 20));
        prop_assert!(Table::open(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(Table::open(bytes).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..600), start in any::<bool>()) {
        let mut bytes = bytes;
        if start && bytes.len() >= 8 {
            bytes[..8].copy_from_slice(&segue::table::format::MAGIC);
        }
        prop_assert!(Table::open(bytes).is_err());
    }
}

#[test]
fn wide_keys_are_told_apart_in_full() {
    // 70,000 clusters at k = 4 need 17 bits an index: the key takes 16 bytes, and rows are two lines.
    let taxonomy = taxonomy(0..70_000);
    let rows: Rows =
        (0..2_000u32).map(|n| (vec![n, 69_999 - n, 30_000 + n, 66_000], vec![retrieved(n + 2_000, 7)])).collect();
    let table = verified(build(&taxonomy, Shape { k: 4, width: 8 }, &rows, &[], limits(1 << 16)));
    assert_eq!(table.sections().last().unwrap().stride, 128);
    assert_eq!(contents(&table).len(), rows.len());
    assert!(table.find(&[5, 69_994, 30_005, 66_000]).is_some());
    assert!(table.find(&[5, 69_994, 30_005, 66_001]).is_none());
}

#[test]
fn what_cannot_be_built_is_named() {
    let taxonomy = taxonomy(1..=9);
    let build = |shape: Shape, rows: &[(&[u32], Vec<Candidate>)], popular: &[Candidate]| {
        let mut file = Cursor::new(Vec::new());
        let mut builder = TableBuilder::new(&mut file, &taxonomy, shape, BuildLimits::default())?;
        rows.iter().try_for_each(|(ids, row)| builder.push(&key(ids), row))?;
        builder.finish(&Lineage::default(), popular)
    };
    let shape = Shape { k: 2, width: 2 };
    let refused = |shape, rows: &[(&[u32], Vec<Candidate>)], popular: &[Candidate], says: &str| {
        let error = build(shape, rows, popular).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(Shape { k: 5, width: 2 }, &[], &[], "k = 5, width = 2");
    refused(Shape { k: 2, width: 0 }, &[], &[], "width 1 to 1024");
    refused(shape, &[(&[], vec![retrieved(3, 1)])], &[], "has 0 clusters");
    refused(shape, &[(&[1, 2, 3], vec![retrieved(4, 1)])], &[], "the table takes 1 to 2");
    refused(
        shape,
        &[(&[1], vec![retrieved(3, 1)]), (&[1, 2], vec![retrieved(3, 1)])],
        &[],
        "push the longest keys first",
    );
    refused(shape, &[(&[1, 77], vec![retrieved(3, 1)])], &[], "cluster 77");
    refused(shape, &[(&[1, 2], vec![retrieved(77, 1)])], &[], "cluster 77");
    refused(shape, &[(&[1, 1], vec![retrieved(3, 1)])], &[], "names a cluster twice");
    refused(shape, &[(&[1, 2], vec![])], &[], "at least one candidate");
    refused(shape, &[(&[1, 2], vec![retrieved(3, 1), retrieved(4, 1), retrieved(5, 1)])], &[], "at most as many");
    refused(shape, &[(&[1, 2], vec![retrieved(2, 1)])], &[], "stands in the key");
    refused(shape, &[(&[1, 2], vec![retrieved(3, 1), retrieved(3, 1)])], &[], "twice in the row");
    refused(shape, &[(&[1, 2], vec![popular(3, 1)])], &[], "popular");
    refused(shape, &[], &[retrieved(3, 1)], "popular");
    refused(shape, &[], &[popular(3, 1), popular(3, 1)], "named once");
    let twice = build(shape, &[(&[1, 2], vec![retrieved(3, 1)]), (&[1, 2], vec![retrieved(4, 1)])], &[]);
    assert!(matches!(twice, Err(BuildError::DuplicateKey(key)) if key == [ClusterId(1), ClusterId(2)]));
}

#[test]
fn a_spill_directory_that_is_not_there_is_an_error() {
    let limits = BuildLimits { memory: 1, spill_dir: "/nonexistent/spill".into() };
    let taxonomy = taxonomy(1..=9);
    let mut builder = TableBuilder::new(Cursor::new(Vec::new()), &taxonomy, Shape { k: 2, width: 2 }, limits).unwrap();
    builder.push(&key(&[1, 2]), &[retrieved(3, 1)]).unwrap();
    let error = builder.push(&key(&[1, 3]), &[retrieved(4, 1)]).unwrap_err().to_string();
    assert!(error.contains("spilling rows to disk failed"), "{error}");
}

#[test]
fn other_files_are_told_from_damaged_tables() {
    assert!(matches!(Table::open(b"hello".as_slice()), Err(OpenError::Short { len: 5, needed: 64 })));
    assert!(matches!(Table::open([7u8; 4096].as_slice()), Err(OpenError::NotATable)));
    let mut newer = build(&taxonomy(1..=3), Shape { k: 1, width: 1 }, &Vec::new(), &[], BuildLimits::default());
    newer[8] = 2;
    assert!(matches!(Table::open(newer), Err(OpenError::Format { found: 2, known: 1 })));
}

/// The first table of format 1, kept to be read forever. It is never written again.
#[test]
fn the_golden_file_of_format_1_reads_as_it_always_did() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/v1.segue")).unwrap();
    let table = verified(bytes.clone());
    let expected: Rows = golden_rows();
    let model: BTreeMap<_, _> = expected.iter().map(|(ids, row)| (key(ids), row.clone())).collect();
    assert_eq!(contents(&table), model);
    assert_eq!((table.k(), table.width()), (3, 5));
    let descriptions: Vec<_> = table.taxonomy().clusters().iter().map(|c| (c.id.0, c.description.as_str())).collect();
    assert_eq!(
        descriptions,
        [(2, "schach"), (3, "go, baduk"), (5, "将棋"), (1_000_000, "\"chess\""), (4_000_000_000, "bridge")]
    );
    let popular: Vec<_> =
        table.popular().iter().map(|entry| (table.cluster_id(entry.index).0, entry.score.0)).collect();
    assert_eq!(popular, [(5, 65_535), (2, 40_000), (4_000_000_000, 1)]);
    let lineage = table.lineage();
    assert_eq!((lineage.creator.as_str(), lineage.predictor.as_str()), ("segue 0.1.0", "retrieved"));
    assert_eq!(lineage.created.to_rfc3339(), "2026-01-02T03:04:05+00:00");
    assert_eq!(lineage.settings["positive"], "rating >= 7");
    assert_eq!(table.taxonomy().hash().to_string(), "ef7d95aee82390190d210aaac8a9854c");
    assert_eq!(format!("{:016x}", table.checksum()), "0042caa90562c93c");
}

fn golden_rows() -> Rows {
    let llm = Candidate { cluster: ClusterId(3), score: Score::ONE, source: Source::Llm };
    vec![
        (vec![2, 5, 1_000_000], vec![llm, retrieved(4_000_000_000, 12_345)]),
        (vec![4_000_000_000, 3, 2], vec![retrieved(5, 1)]),
        (vec![2, 5], vec![retrieved(3, 60_000), retrieved(4_000_000_000, 5_000), retrieved(1_000_000, 535)]),
        (vec![5, 2], vec![retrieved(3, 0)]),
        (
            vec![3],
            vec![
                retrieved(2, 30_000),
                retrieved(5, 20_000),
                retrieved(1_000_000, 10_000),
                retrieved(4_000_000_000, 5_535),
            ],
        ),
        (vec![2], vec![llm]),
    ]
}
