//! Who is in which arm: the published formula, stability, shares.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use segue::experiment::{Config, Experiments};
use serde_json::{Value, json};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// An experiment on `main`; each arm's channel is called as the arm.
pub(super) fn json(arms: &[(&str, f64)]) -> Value {
    let arm = |&(name, weight): &(&str, f64)| json!({"name": name, "weight": weight, "channel": name});
    json!({"name": "rag", "salt": "2026-rag", "arms": arms.iter().map(arm).collect::<Vec<_>>()})
}

fn experiments(arms: &[(&str, f64)], traffic: f64) -> Experiments {
    let mut json = json(arms);
    json["traffic"] = traffic.into();
    Experiments::new(&[serde_json::from_value::<Config>(json).unwrap()]).unwrap()
}

fn arm<'e>(experiments: &'e Experiments, unit: &str) -> Option<&'e str> {
    experiments.assign("main", unit, 0).map(|assigned| assigned.arm)
}

fn units() -> impl Iterator<Item = String> {
    (0..20_000).map(|unit| format!("user {unit}"))
}

/// The sanity vectors of the xxHash project (XXH3_64bits, without a seed and with 0x9E3779B185EBCA8D).
#[test]
fn the_hash_is_the_published_one() {
    const PRIME32: u64 = 2_654_435_761;
    const PRIME64: u64 = 0x9E37_79B1_85EB_CA8D;
    let mut state = PRIME32;
    let mut next = || {
        let byte = (state >> 56) as u8;
        state = state.wrapping_mul(11_400_714_785_074_694_797);
        byte
    };
    let buffer: Vec<u8> = (0..12).map(|_| next()).collect();
    for (len, plain, seeded) in [
        (0, 0x2D06_8005_38D3_94C2, 0xA8A6_B918_B2F0_364A),
        (1, 0xC44B_DFF4_074E_ECDB, 0x032B_E332_DD76_6EF8),
        (6, 0x27B5_6A84_CD2D_7325, 0x8458_9C11_6AB5_9AB9),
        (12, 0xA713_DAF0_DFBB_77E7, 0xE730_3E1B_2336_DE0E),
    ] {
        assert_eq!(xxh3_64(&buffer[..len]), plain, "{len}");
        assert_eq!(xxh3_64_with_seed(&buffer[..len], PRIME64), seeded, "{len}");
    }
}

/// The formula of `assign.rs`, written down again.
fn by_formula(arms: &[(&'static str, f64)], traffic: f64, unit: &str) -> Option<&'static str> {
    let uniform = |key: &str| {
        let seed = xxh3_64(format!("2026-rag\0{key}").as_bytes());
        ((xxh3_64_with_seed(unit.as_bytes(), seed) / 2048) as f64 + 0.5) / 2f64.powi(53)
    };
    let time = |&(name, weight): &(&str, f64)| -uniform(name).ln() / weight;
    let first = arms.iter().min_by(|one, other| time(one).total_cmp(&time(other)));
    first.map(|(name, _)| *name).filter(|_| uniform("") < traffic)
}

proptest! {
    #[test]
    fn the_arm_is_the_formulas(unit in "\\PC{1,12}", traffic in 0.01..1.0, weight in 0.01..0.99) {
        let arms = [("control", weight), ("fresh", 1.0 - weight)];
        let experiments = experiments(&arms, traffic);
        prop_assert_eq!(arm(&experiments, &unit), by_formula(&arms, traffic, &unit));
    }
}

/// What the formula gives with another implementation of XXH3, Python's xxhash 3.
const DEALT: [&str; 8] = ["control", "control", "fresh", "fresh", "control", "fresh", "control", "fresh"];

#[test]
fn the_hand_that_is_dealt_stays() {
    let experiments = experiments(&[("control", 0.5), ("fresh", 0.5)], 1.0);
    let dealt: Vec<_> = (0..8).map(|unit| arm(&experiments, &format!("user {unit}")).unwrap()).collect();
    assert_eq!(dealt, DEALT);
}

#[test]
fn shares_are_the_weights_and_the_traffic() {
    let arms = [("control", 0.5), ("fresh", 0.3), ("stale", 0.2)];
    let experiments = experiments(&arms, 0.4);
    let dealt: Vec<_> = units().filter_map(|unit| arm(&experiments, &unit)).collect();
    let near = |found: usize, expected: f64, of: f64| {
        let off = (found as f64 - expected * of).abs() / (of * expected * (1.0 - expected)).sqrt();
        assert!(off < 4.0, "{found} of {of}, expected {expected}: {off} standard deviations");
    };
    near(dealt.len(), 0.4, 20_000.0);
    for (name, weight) in arms {
        near(dealt.iter().filter(|arm| **arm == name).count(), weight, dealt.len() as f64);
    }
}

#[test]
fn units_move_only_where_they_must() {
    let before = experiments(&[("a", 0.5), ("b", 0.5)], 0.5);
    // Takes an eighth of the units that take part from each of the others.
    let with_c = experiments(&[("c", 0.25), ("b", 0.375), ("a", 0.375)], 0.5);
    let grown = experiments(&[("a", 0.5), ("b", 0.5)], 0.6);
    let (mut moved, mut joined) = (0, 0);
    for unit in units() {
        let (old, new) = (arm(&before, &unit), arm(&with_c, &unit));
        assert!(old == new || new == Some("c"), "{unit}: {old:?} -> {new:?}");
        moved += usize::from(old != new);
        let new = arm(&grown, &unit);
        assert!(old == new || old.is_none(), "{unit}: {old:?} -> {new:?}");
        joined += usize::from(old != new);
    }
    assert!((2_200..2_800).contains(&moved), "a quarter of a half of 20,000 moved: {moved}");
    assert!((1_800..2_200).contains(&joined), "a tenth of 20,000 joined: {joined}");
}

#[test]
fn an_experiment_runs_on_its_channel_and_in_its_time() {
    let mut json = json(&[("control", 0.5), ("fresh", 0.5)]);
    json["start"] = "2026-03-01T00:00:00Z".into();
    json["end"] = "2026-03-02T00:00:00Z".into();
    let experiments = Experiments::new(&[serde_json::from_value::<Config>(json).unwrap()]).unwrap();
    let start = 1_772_323_200;
    let runs = |channel, unit, now| experiments.assign(channel, unit, now).is_some();
    assert!(runs("main", "u", start) && runs("main", "u", start + 86_399));
    assert!(!runs("main", "u", start - 1) && !runs("main", "u", start + 86_400));
    assert!(!runs("other", "u", start) && !runs("main", "", start));
    assert!(Experiments::default().assign("main", "u", start).is_none());
}

/// Settings, units, and the arm of each.
fn published() -> (String, Vec<Value>) {
    let docs = |name: &str| std::fs::read_to_string(format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    (docs("assignment.md"), serde_json::from_str(&docs("assignment.json")).unwrap())
}

#[test]
fn published_vectors_hold() {
    let mut lengths = std::collections::BTreeSet::new();
    for case in published().1 {
        let arms: Vec<(&str, f64)> = case["arms"].as_array().unwrap().iter().map(weighted).collect();
        let mut json = json(&arms);
        (json["salt"], json["traffic"]) = (case["salt"].clone(), case["traffic"].clone());
        let experiments = Experiments::new(&[serde_json::from_value::<Config>(json).unwrap()]).unwrap();
        for vector in case["units"].as_array().unwrap() {
            let unit = vector["unit"].as_str().unwrap();
            assert_eq!(arm(&experiments, unit), vector["arm"].as_str(), "{unit} of {}", case["salt"]);
            lengths.insert(unit.len());
        }
    }
    // Where XXH3 goes another way.
    for (from, to) in [(1, 3), (4, 8), (9, 16), (17, 128), (129, 240), (241, 1024)] {
        assert!(lengths.range(from..=to).next().is_some(), "no unit of {from} to {to} bytes");
    }
}

fn weighted(arm: &Value) -> (&str, f64) {
    (arm["name"].as_str().unwrap(), arm["weight"].as_f64().unwrap())
}

#[test]
fn published_vectors_are_those_of_the_published_python() {
    let Some(python) = crate::support::python_with("xxhash") else { return };
    let (page, cases) = published();
    let code = page.split("```python\n").nth(1).and_then(|code| code.split("```").next()).unwrap();
    let ask = "
import json, sys
for case in json.load(sys.stdin):
    arms = [(arm['name'], arm['weight']) for arm in case['arms']]
    for vector in case['units']:
        found = assigned(case['salt'], arms, case['traffic'], vector['unit'])
        assert found == vector['arm'], (case['salt'], vector, found)
        print(found)
";
    let mut ran = Command::new(python)
        .args(["-c", &format!("{code}{ask}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    ran.stdin.take().unwrap().write_all(serde_json::to_string(&cases).unwrap().as_bytes()).unwrap();
    let ran = ran.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let asked: usize = cases.iter().map(|case| case["units"].as_array().unwrap().len()).sum();
    assert_eq!(String::from_utf8(ran.stdout).unwrap().lines().count(), asked);
}
