//! The decision of the adaptive policy, over all figures there may be.

use std::time::Duration;

use proptest::prelude::*;
use segue::evaluation::{Ageing, Cadence, Config, Estimate, Reason, Recalled, decide};

const DAY: Duration = Duration::from_secs(86_400);

fn cadences() -> impl Strategy<Value = Cadence> {
    let money = || 0.0..5.0_f64;
    (0..10_u32, 0..20_u32, money(), money(), 0.0..0.01_f64, 0.0..1.0_f64).prop_map(
        |(min, more, worth, refresh_cost, call_cost, hysteresis)| Cadence {
            min: min * DAY,
            max: (min + more).max(1) * DAY,
            worth,
            refresh_cost,
            call_cost,
            hysteresis,
            ..Cadence::default()
        },
    )
}

fn losses() -> impl Strategy<Value = Option<Estimate>> {
    let loss = (-0.1..0.2_f64, 0.0..0.1_f64);
    prop::option::of(loss.prop_map(|(value, half)| Estimate { value, low: value - half, high: value + half }))
}

fn ageings() -> impl Strategy<Value = Ageing> {
    let figures = (0.0..40.0_f64, losses(), 0..5_000_u64);
    figures.prop_map(|(age, loss, calls)| Ageing { age, loss, calls, ..Ageing::default() })
}

proptest! {
    #[test]
    fn never_before_min_and_always_from_max_on(config in cadences(), ageing in ageings()) {
        let decision = decide(&config, &ageing);
        let days = |duration: Duration| duration.as_secs_f64() / 86_400.0;
        if ageing.age < days(config.min) {
            prop_assert_eq!((decision.refresh, decision.reason), (false, Reason::TooSoon));
        } else if ageing.age >= days(config.max) {
            prop_assert_eq!((decision.refresh, decision.reason), (true, Reason::Overdue));
        } else {
            let is_real = |loss: Estimate| loss.value > 0.0 && loss.low > -loss.value;
            prop_assert!(!decision.refresh || decision.gain > decision.cost && is_real(ageing.loss.unwrap()));
        }
        prop_assert_eq!(decision.ageing, ageing);
    }

    #[test]
    fn more_loss_or_cheaper_questions_never_turn_a_refresh_down(
        config in cadences(),
        ageing in ageings(),
        more in 0.0..0.1_f64,
        fewer in 0..5_000_u64,
    ) {
        let shifted = |of: Estimate| Estimate { value: of.value + more, low: of.low + more, high: of.high + more };
        let worse = Ageing { loss: ageing.loss.map(shifted), calls: ageing.calls.saturating_sub(fewer), ..ageing };
        let (before, after) = (decide(&config, &ageing), decide(&config, &worse));
        prop_assert!(!before.refresh || after.refresh, "{before:?} {after:?}");
        prop_assert!(after.gain >= before.gain && after.cost <= before.cost);
    }
}

#[test]
fn the_numbers_are_those_of_arithmetic() {
    let config = Cadence { worth: 2.0, refresh_cost: 2.75, call_cost: 0.5, ..Cadence::default() };
    let of = |value: f64, low: f64| {
        let loss = Some(Estimate { value, low, high: 1.0 });
        decide(&config, &Ageing { age: 5.0, loss, calls: 4, tokens_cost: 0.25, ..Ageing::default() })
    };
    // Two points at 2 a day for the five days since are 20; the refresh costs 2.75, four times 0.5 and 0.25 of tokens, and
    // a fifth more is asked.
    let pays = of(0.02, 0.001);
    assert_eq!((pays.reason, pays.gain, pays.cost), (Reason::Pays, 20.0, 5.0));
    assert_eq!(of(0.005, 0.001).reason, Reason::TooCheap, "5 for 5");
    assert_eq!(of(0.0061, 0.001).reason, Reason::Pays);
    assert_eq!(of(0.02, -0.019).reason, Reason::Pays, "above its standard error");
    assert_eq!(of(0.02, -0.02).reason, Reason::Uncertain);
    assert_eq!(decide(&config, &Ageing { age: 2.0, ..Ageing::default() }).reason, Reason::Unmeasured);
}

#[test]
fn a_model_whose_refreshed_tables_stay_worse_is_due_for_tuning() {
    let of = |value: f64| Estimate { value, low: value - 0.01, high: value + 0.01 };
    let decided = |first: f64, live: f64| {
        let recall = Some(Recalled { first: of(first), live: of(live) });
        decide(&Cadence::default(), &Ageing { age: 2.0, recall, ..Ageing::default() })
    };
    let due = decided(0.08, 0.05);
    assert!(due.finetune && !due.refresh, "a refresh would not help");
    assert!(
        due.to_string().ends_with("fine-tune the model: its recall fell from 8.00 % to 5.00 %, refreshed as it is")
    );
    let within_chance = decided(0.065, 0.05);
    assert_eq!((within_chance.finetune, within_chance.advice()), (false, None));
}

#[test]
fn settings_without_sense_are_named() {
    let refused = |cadence: Cadence| Config { cadence, ..Config::default() }.check().unwrap_err().to_string();
    let default = Cadence::default;
    let said = refused(Cadence { min: 15 * DAY, ..default() });
    assert!(said.contains("[evaluation.cadence] min = 15") && said.contains("above max"), "{said}");
    assert!(refused(Cadence { worth: -1.0, ..default() }).contains("worth = -1"));
    assert!(refused(Cadence { call_cost: f64::NAN, ..default() }).contains("call_cost = NaN"));
    assert!(refused(Cadence { min: Duration::ZERO, max: Duration::ZERO, ..default() }).contains("max = 0"));
    assert!(Config::default().check().is_ok());
}
