//! Simulated experiments whose truth is known: how often readings are wrong, and whether that is as often as promised.
//!
//! A binomial interval at 99 % decides: of 1,000 right tests at 5 %, 33 to 68 call a difference that is not there.

use segue::experiment::analyze::{Effect, Kind, MetricReading, Study, Total, UnitTotals};

/// Metrics of every kind: liked rows a unit, the share of rows that are liked, the mean rating of a row.
const KINDS: [Kind; 3] = [Kind::PerUnit, Kind::Ratio, Kind::Ratio];

/// SplitMix64: small, and the same for ever.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// About normal, with variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Somebody: how active, how easily pleased.
struct Person {
    activity: f64,
    liking: f64,
}

impl Person {
    fn meet(chance: &mut Chance) -> Self {
        Self { activity: 1.0 + 2.0 * chance.exponential(), liking: 0.1 + 0.5 * chance.uniform() }
    }

    /// What they do in some time, by metric, when what they like is better by the fraction `lift`. The rows of one
    /// person are alike, so that rows are no independent observations.
    fn act(&self, chance: &mut Chance, lift: f64) -> Vec<Total> {
        let rows = (self.activity * 2.0 * chance.uniform()).round();
        let liked = (0..rows as usize).filter(|_| chance.uniform() < self.liking * (1.0 + lift)).count() as f64;
        let rating = rows * 10.0 * self.liking * (1.0 + lift) + rows.sqrt() * chance.normal();
        vec![Total { value: liked, per: 0.0 }, Total { value: liked, per: rows }, Total { value: rating, per: rows }]
    }
}

/// An experiment of two arms to which `units` come in each arm every day.
fn simulated(chance: &mut Chance, units: usize, days: usize, lift: f64, before: bool) -> Study {
    let mut study = Study::new(2, days, &KINDS);
    for arm in [0, 1] {
        for at in 0..units * days {
            let (since, person) = (at / units, Person::meet(chance));
            let before = if before { person.act(chance, 0.0) } else { Vec::new() };
            let lift = lift * arm as f64;
            let days = (since..days).map(|day| (day, person.act(chance, lift))).collect();
            study.add(&UnitTotals { arm, since, before, days });
        }
    }
    study
}

/// By metric: plain, then less what the time before explains.
fn effects(study: &Study) -> Vec<Effect> {
    let readings: Vec<MetricReading> = (0..KINDS.len()).map(|metric| study.read(metric, 0, 1)).collect();
    let plain = readings.iter().map(|reading| reading.overall.plain.unwrap());
    let adjusted = readings.iter().map(|reading| reading.overall.adjusted.unwrap().unwrap());
    plain.chain(adjusted).collect()
}

fn holds(interval: (f64, f64), truth: f64) -> bool {
    interval.0 <= truth && truth <= interval.1
}

/// How many of `tests` at a rate of 5 % lie within the binomial interval at 99 %.
fn promised(tests: u32) -> std::ops::RangeInclusive<u32> {
    let (mean, half) = (0.05 * f64::from(tests), 2.576 * (0.0475 * f64::from(tests)).sqrt());
    (mean - half).ceil() as u32..=(mean + half).floor() as u32
}

#[test]
fn a_thousand_tests_of_nothing_find_as_much_as_promised() {
    let mut chance = Chance(1);
    let (mut found, mut narrower) = ([0_u32; 6], [0_u32; 3]);
    for _ in 0..1_000 {
        let effects = effects(&simulated(&mut chance, 250, 1, 0.0, true));
        for (found, effect) in found.iter_mut().zip(&effects) {
            *found += u32::from(effect.p_value().unwrap() < 0.05);
            assert_eq!(effect.p_value().unwrap() < 0.05, !holds(effect.interval().unwrap(), 0.0));
        }
        for (narrower, pair) in narrower.iter_mut().zip(effects[..3].iter().zip(&effects[3..])) {
            *narrower += u32::from(pair.1.standard_error < pair.0.standard_error);
        }
    }
    eprintln!("false alarms in 1,000: {found:?}");
    assert!(found.iter().all(|found| promised(1_000).contains(found)), "{found:?}, promised {:?}", promised(1_000));
    assert!(narrower.iter().all(|&narrower| narrower > 900), "the time before narrows: {narrower:?}");
}

#[test]
fn rows_taken_for_units_would_be_found_out() {
    let mut chance = Chance(2);
    let mut found = 0;
    for _ in 0..300 {
        let mut study = Study::new(2, 1, &[Kind::Ratio]);
        for arm in [0, 1] {
            for _ in 0..150 {
                let person = Person::meet(&mut chance);
                let total = person.act(&mut chance, 0.0)[2];
                // Every row as if it were a unit of its own.
                for _ in 0..total.per as usize {
                    let row = Total { value: total.value / total.per, per: 1.0 };
                    study.add(&UnitTotals { arm, since: 0, before: Vec::new(), days: vec![(0, vec![row])] });
                }
            }
        }
        found += u32::from(study.read(0, 0, 1).overall.plain.unwrap().p_value().unwrap() < 0.05);
    }
    assert!(found > 2 * promised(300).end(), "only {found} of 300");
}

#[test]
fn looking_every_day_finds_nothing_more_than_promised() {
    let mut chance = Chance(3);
    let (mut always, mut plain) = ([0_u32; 3], [0_u32; 3]);
    for _ in 0..1_000 {
        let study = simulated(&mut chance, 30, 10, 0.0, false);
        for metric in 0..KINDS.len() {
            let looks =
                study.read(metric, 0, 1).days.into_iter().filter_map(|day| day.so_far.plain.ok()).collect::<Vec<_>>();
            let ever = |ends: fn(&Effect) -> Option<(f64, f64)>| {
                u32::from(looks.iter().any(|look| !holds(ends(look).unwrap(), 0.0)))
            };
            always[metric] += ever(|look| look.always_valid(0.1));
            plain[metric] += ever(Effect::interval);
        }
    }
    eprintln!("false alarms in 1,000 at any of ten looks: always valid {always:?}, at one look {plain:?}");
    assert!(always.iter().all(|found| found <= promised(1_000).end()), "{always:?}");
    assert!(plain.iter().all(|found| found > promised(1_000).end()), "peeking would do no harm here: {plain:?}");
}

#[test]
fn planted_lifts_are_covered_as_often_as_promised() {
    let mut chance = Chance(4);
    let mut missed = [0_u32; 6];
    for lift in [0.001, 0.005, 0.01, 0.02, 0.05] {
        for _ in 0..200 {
            let effects = effects(&simulated(&mut chance, 250, 1, lift, true));
            for (missed, effect) in missed.iter_mut().zip(&effects) {
                *missed += u32::from(!holds(effect.interval().unwrap(), lift));
            }
        }
    }
    eprintln!("lifts of 0.1 % to 5 % missed in 1,000: {missed:?}");
    assert!(missed.iter().all(|missed| promised(1_000).contains(missed)), "{missed:?}");
}
