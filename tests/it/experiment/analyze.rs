//! Readings where there is little to read, and what merging keeps.

use proptest::prelude::*;
use segue::experiment::analyze::{
    Kind, Moments, Observation, Reading, Study, Total, UnitTotals, Unreadable, compare, compare_adjusted, sample_ratio,
};

fn observation(value: f64, per: f64) -> Observation {
    Observation { value, per, ..Observation::default() }
}

fn moments(units: &[(f64, f64)]) -> Moments {
    let mut moments = Moments::default();
    units.iter().for_each(|&(value, per)| moments.add(observation(value, per)));
    moments
}

#[test]
fn what_cannot_be_read_says_why_and_is_never_a_nan() {
    let good = moments(&[(3.0, 1.0), (4.0, 1.0), (5.0, 1.0)]);
    let read = |control: &[(f64, f64)]| compare(&moments(control), &good).map(|effect| effect.relative);
    assert_eq!(read(&[]), Err(Unreadable::NoUnits));
    assert_eq!(read(&[(0.0, 0.0), (0.0, 0.0)]), Err(Unreadable::NoDenominator));
    assert_eq!(read(&[(0.0, 1.0), (0.0, 1.0)]), Err(Unreadable::ControlIsZero));
    assert_eq!(read(&[(-1.0, 1.0), (1.5, 1.0)]), Err(Unreadable::ControlNearZero));
    assert_eq!(read(&[(4.0, 1.0), (4.0, 1.0)]), Ok(0.0));
    assert_eq!(compare(&good, &Moments::default()), Err(Unreadable::NoUnits));
    assert_eq!(compare(&good, &moments(&[(0.0, 0.0)])), Err(Unreadable::NoDenominator));
    // No time before.
    assert!(compare_adjusted(&good, &good).is_none());
}

#[test]
fn one_unit_has_a_value_and_no_interval() {
    let (many, one) = (moments(&[(3.0, 1.0), (5.0, 1.0)]), moments(&[(8.0, 1.0)]));
    for (control, treatment, relative) in [(many, one, 1.0), (one, many, -0.5), (one, one, 0.0)] {
        let effect = compare(&control, &treatment).unwrap();
        assert_eq!((effect.relative, effect.interval(), effect.p_value()), (relative, None, None));
        assert_eq!(effect.always_valid(0.01), None);
    }
}

#[test]
fn units_that_are_all_alike_leave_no_doubt() {
    let (ones, twos) = (moments(&[(1.0, 1.0); 5]), moments(&[(2.0, 1.0); 5]));
    let effect = compare(&ones, &twos).unwrap();
    assert_eq!((effect.interval(), effect.p_value()), (Some((1.0, 1.0)), Some(0.0)));
    assert_eq!(effect.always_valid(0.01), Some((1.0, 1.0)));
    let none = compare(&ones, &ones).unwrap();
    assert_eq!((none.interval(), none.p_value()), (Some((0.0, 0.0)), Some(1.0)));
}

#[test]
fn lost_units_are_seen() {
    let even = sample_ratio(&[5_000, 5_050], &[0.5, 0.5]);
    assert!(!even.is_mismatch() && even.p_value > 0.5, "{even:?}");
    assert_eq!(even.expected, [5_025.0, 5_025.0]);
    // Four in a hundred of one arm.
    assert!(sample_ratio(&[10_000, 9_500], &[0.5, 0.5]).is_mismatch());
    assert!(sample_ratio(&[100, 0], &[0.5, 0.5]).is_mismatch());
    for little in [sample_ratio(&[0, 0], &[0.5, 0.5]), sample_ratio(&[7], &[1.0]), sample_ratio(&[], &[])] {
        assert_eq!(little.p_value, 1.0);
    }
}

/// A unit of `arm` that came on day `since` and did so much on some days.
fn unit(arm: usize, since: usize, days: &[(usize, f64)]) -> UnitTotals {
    let days = days.iter().map(|&(day, value)| (day, vec![Total { value, per: 1.0 }; 2])).collect();
    UnitTotals { arm, since, before: Vec::new(), days }
}

#[test]
fn days_without_deeds_are_zeros_for_a_sum_and_nothing_for_a_ratio() {
    let mut study = Study::new(2, 3, &[Kind::PerUnit, Kind::Ratio]);
    for (arm, days) in [(0, [(0, 2.0), (2, 4.0)]), (1, [(0, 3.0), (2, 3.0)])] {
        study.add(&unit(arm, 0, &days));
        study.add(&unit(arm, 0, &days));
        study.add(&unit(arm, 2, &days[1..]));
        study.add(&unit(arm, 2, &[]));
    }
    study.add(&unit(7, 0, &[]));
    assert_eq!(study.units(), [4, 4]);
    let (sum, mean) = (study.read(0, 0, 1), study.read(1, 0, 1));
    assert_eq!((sum.control, sum.treatment), (Some(4.0), Some(3.75)));
    assert_eq!((mean.control, mean.treatment), (Some(16.0 / 5.0), Some(3.0)));
    let relative = |reading: &segue::experiment::analyze::MetricReading| {
        let plain = |of: Reading| of.plain.map(|effect| effect.relative);
        reading.days.iter().map(|day| (plain(day.day), plain(day.so_far))).collect::<Vec<_>>()
    };
    // Nobody did anything on the second day; what was done before stays.
    assert_eq!(
        relative(&sum),
        [(Ok(0.5), Ok(0.5)), (Err(Unreadable::ControlIsZero), Ok(0.5)), (Ok(-0.25), Ok(-0.0625))]
    );
    assert_eq!(relative(&mean)[1].0, Err(Unreadable::NoDenominator));
    assert_eq!(sum.days[2].so_far, sum.overall);
    assert!(sum.overall.adjusted.is_none() && sum.days[0].day.adjusted.is_none());
}

#[test]
fn a_study_of_no_days_or_one_arm_reads_nothing() {
    let mut study = Study::new(2, 0, &[Kind::PerUnit]);
    study.add(&unit(0, 0, &[(0, 1.0)]));
    assert_eq!(study.read(0, 0, 1).overall.plain, Err(Unreadable::NoUnits));
    let mut study = Study::new(2, 1, &[Kind::PerUnit]);
    (0..5).for_each(|at| study.add(&unit(0, 0, &[(0, f64::from(at))])));
    let reading = study.read(0, 0, 1);
    assert_eq!((reading.overall.plain, reading.treatment), (Err(Unreadable::NoUnits), None));
}

proptest! {
    #[test]
    fn moments_merge_as_if_taken_at_once(
        values in prop::collection::vec((-1e3..1e3, 0.5..9.0), 4..40),
        cut in 0.0..1.0,
        offset in prop::sample::select(vec![0.0, 1e6]),
    ) {
        let values: Vec<_> = values.into_iter().map(|(value, per)| (value + offset, per)).collect();
        let (first, second) = values.split_at((values.len() as f64 * cut) as usize);
        let mut merged = moments(first);
        merged.merge(&moments(second));
        let at_once = moments(&values);
        prop_assert_eq!(merged.units(), at_once.units());
        let base = moments(&[(5.0, 1.0), (6.0, 1.0), (5.5, 1.0)]);
        let (one, other) = (compare(&base, &merged).unwrap(), compare(&base, &at_once).unwrap());
        prop_assert!((one.relative - other.relative).abs() <= 1e-9 * (1.0 + other.relative.abs()));
        let (one, other) = (one.standard_error.unwrap(), other.standard_error.unwrap());
        prop_assert!((one - other).abs() <= 1e-6 * other, "{} {}", one, other);
    }
}
