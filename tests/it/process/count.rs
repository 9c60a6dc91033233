//! `segue count`, held against a count so naive that it is plainly right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use super::harness::{World, finish};

/// A user, a cluster, a day of January 2026 and a rating.
type Row = (u32, u32, u32, u32);

/// Two hundred rows without any pattern, and without ties in time for one user.
fn rows() -> Vec<Row> {
    let mut state = 7_u32;
    let mut next = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let rows = (0..300).map(|_| (next(12), next(10), 1 + next(28), next(10)));
    let mut met = BTreeSet::new();
    rows.filter(|&(user, _, day, _)| met.insert((user, day))).collect()
}

fn world(rows: &[Row]) -> World {
    let mut log = "user_id,cluster_id,timestamp,rating\n".to_owned();
    for (user, cluster, day, rating) in rows {
        writeln!(log, "{user},{cluster},2026-01-{day:02}T12:00:00Z,{rating}").unwrap();
    }
    World::with_log(&log)
}

/// Transitions of `k` clusters and the next, with their counts, from the rows that `keep` lets through.
fn naive(rows: &[Row], k: usize, keep: impl Fn(&Row) -> bool) -> BTreeMap<Vec<u32>, u64> {
    let mut kept: Vec<_> = rows.iter().filter(|row| keep(row)).collect();
    kept.sort_by_key(|&&(user, cluster, day, _)| (user, day, cluster));
    let mut sequences: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &&(user, cluster, ..) in &kept {
        let sequence = sequences.entry(user).or_default();
        if !sequence.contains(&cluster) {
            sequence.push(cluster);
        }
    }
    let mut counts = BTreeMap::new();
    for transition in sequences.values().flat_map(|sequence| sequence.windows(k + 1)) {
        *counts.entry(transition.to_vec()).or_default() += 1;
    }
    counts
}

fn csv(counts: &BTreeMap<Vec<u32>, u64>, k: usize) -> String {
    let header: Vec<_> = (1..=k).map(|at| format!("c{at}")).collect();
    let mut csv = format!("{},next,count\n", header.join(","));
    for (transition, count) in counts {
        let ids: Vec<_> = transition.iter().map(u32::to_string).collect();
        writeln!(csv, "{},{count}", ids.join(",")).unwrap();
    }
    csv
}

#[test]
fn the_csv_is_the_naive_count_for_every_k_window_and_expression() {
    let rows = rows();
    let world = world(&rows);
    for k in 1..=4 {
        let counts = naive(&rows, k, |_| true);
        assert!(counts.len() > 20, "{counts:?}");
        assert_eq!(world.text(&["count", "--k", &k.to_string()]), csv(&counts, k));
    }
    assert_eq!(world.text(&["count"]), csv(&naive(&rows, 2, |_| true), 2), "table.k = 2");
    let in_window = naive(&rows, 2, |row| (5..20).contains(&row.2));
    assert_eq!(world.text(&["count", "--from", "2026-01-05", "--to", "2026-01-20"]), csv(&in_window, 2));
    let half_open = naive(&rows, 2, |row| row.2 >= 9);
    assert_eq!(world.text(&["count", "--from", "2026-01-09T12:00:00Z"]), csv(&half_open, 2), "`from` is inside");
    let until = naive(&rows, 2, |row| row.2 < 9);
    assert_eq!(world.text(&["count", "--to", "2026-01-09T12:00:00Z"]), csv(&until, 2), "`to` is not");
    let positive = naive(&rows, 2, |row| row.3 >= 4);
    assert_eq!(world.text(&["count", "--set", "interactions.positive=rating >= 4"]), csv(&positive, 2));
}

#[test]
fn json_has_one_transition_a_line_and_nothing_else_is_on_stdout() {
    let rows = rows();
    let world = world(&rows);
    let ran = world.run(&["count", "--json", "--k", "1"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts = naive(&rows, 1, |_| true);
    let expected = counts.iter().map(|(ids, count)| json!({ "key": [ids[0]], "next": ids[1], "count": count }));
    assert_eq!(lines, expected.collect::<Vec<_>>());
    let told = format!("{} rows, {} positive, 0 bad", rows.len(), rows.len());
    assert!(ran.stderr.contains(&told) && ran.stderr.contains(&format!("{} transitions", counts.len())), "{ran:?}");
    let ran = world.run(&["count", "--k", "5"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("5 is not in 1..=4"), "{ran:?}");
}

#[test]
fn the_statement_is_shown_without_reading_a_log() {
    let world = World::with_log("");
    std::fs::remove_dir_all(world.file("log")).unwrap();
    let sql = world.text(&["count", "--show-sql", "--k", "3", "--from", "2026-01-05"]);
    for part in ["FROM positives", "lead(cluster_id, 3)", "GROUP BY c1, c2, c3, next", "2026-01-05"] {
        assert!(sql.contains(part), "no `{part}` in {sql}");
    }
}

#[test]
fn a_reader_that_had_enough_ends_the_count_quietly() {
    let mut rows = Vec::new();
    // Far more output than a pipe holds.
    (0..3_000)
        .for_each(|user| (0..9).for_each(|at| rows.push((user, (user * 7 + at * (1 + user % 4)) % 10, at + 1, 0))));
    let world = world(&rows);
    for (args, first) in [("--k 4", "c1,c2,c3,c4,next,count"), ("--k 4 --json", r#"{"count":"#)] {
        let ran = finish(world.shell(&format!("{{ $segue count {args}; echo code $? >&2; }} | head -n 1")));
        assert!(ran.stdout.starts_with(first) && ran.stdout.lines().count() == 1, "{ran:?}");
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("segue:"), "{ran:?}");
        assert!(ran.stderr.ends_with("code 0\n"), "{ran:?}");
    }
}
