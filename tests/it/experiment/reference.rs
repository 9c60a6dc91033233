//! Readings agree with statsmodels, SciPy and NumPy to 1e-9: `tests/data/effects.py` makes the numbers.

use std::process::Command;

use segue::experiment::analyze::{Moments, Observation, compare, compare_adjusted, sample_ratio};
use serde_json::Value;

use crate::support::{data, python_with};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn moments(units: &Value) -> Moments {
    let mut moments = Moments::default();
    for unit in units.as_array().unwrap() {
        let [value, per, before, before_per] = numbers(unit)[..] else { panic!("{unit}") };
        moments.add(Observation { value, per, before, before_per });
    }
    moments
}

#[track_caller]
fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    let off = (found - expected).abs() / expected.abs().max(1e-3);
    assert!(off < 1e-9, "{what}: {found}, expected {expected}");
}

/// Compares everything that the script printed; returns how many cases that was.
fn check(reference: &Value) -> usize {
    let cases = reference["cases"].as_array().unwrap();
    for case in cases {
        let (control, treatment) = (moments(&case["control"]), moments(&case["treatment"]));
        let effect = compare(&control, &treatment).unwrap();
        near(effect.relative, &case["relative"], "relative");
        near(effect.standard_error.unwrap(), &case["error"], "standard error");
        near(effect.p_value().unwrap(), &case["p_value"], "p-value");
        for (ends, expected) in
            [(effect.interval(), &case["interval"]), (effect.always_valid(0.01), &case["always_valid"])]
        {
            near(ends.unwrap().0, &expected[0], "lower end");
            near(ends.unwrap().1, &expected[1], "upper end");
        }
        let adjusted = compare_adjusted(&control, &treatment).unwrap().unwrap();
        near(adjusted.relative, &case["adjusted"][0], "adjusted");
        near(adjusted.standard_error.unwrap(), &case["adjusted"][1], "adjusted standard error");
    }
    let ratios = reference["ratios"].as_array().unwrap();
    for ratio in ratios {
        let units: Vec<u64> = numbers(&ratio["units"]).into_iter().map(|units| units as u64).collect();
        let found = sample_ratio(&units, &numbers(&ratio["weights"]));
        near(found.chi_square, &ratio["chi_square"], "chi-square");
        // Tails of any size, to nine digits of their own.
        assert!((found.p_value / ratio["p_value"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{found:?} {ratio}");
    }
    cases.len() + ratios.len()
}

#[test]
fn readings_are_those_of_the_fixed_reference() {
    let text = std::fs::read_to_string(data("effects.json")).unwrap();
    assert_eq!(check(&serde_json::from_str(&text).unwrap()), 9);
}

#[test]
fn readings_are_those_of_python_on_fresh_data() {
    let Some(python) = python_with("numpy, scipy, statsmodels") else { return };
    for seed in ["2", "3"] {
        let ran = Command::new(&python).arg(data("effects.py")).arg(seed).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(check(&serde_json::from_slice(&ran.stdout).unwrap()), 9);
    }
}
