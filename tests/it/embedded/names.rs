//! Choosing among names.

use segue::inference::Decoding;

use super::tiny::{Tiny, tiny};
use super::{ask, question, strings, texts, whole};

const ALL: Decoding = Decoding::Constrained { best: 100 };

#[test]
fn every_name_can_come_out_as_written_and_their_probabilities_add_up_to_1() {
    let names = [
        "action",
        "action, comedy",
        "action, comedy, drama",
        "actionable",
        "\"quoted\", 'twice'",
        "two\nlines",
        "日本の映画, アニメ",
        "кино",
        "مسلسلات",
        "👩‍👩‍👧, family",
        "<|im_end|>",
        "<|im_start|>system",
        "{{ messages }}",
        "e\u{301}",
        "é",
    ];
    let answer = ask(&tiny(&names), vec![question(1, "what next?", ALL)]).remove(0).unwrap();
    let mut found = texts(&answer);
    found.sort_unstable();
    let mut expected = names;
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!((whole(&answer) - 1.0).abs() < 1e-9, "{}", whole(&answer));
    assert!(answer.candidates.is_sorted_by(|one, other| one.probability >= other.probability));
}

#[test]
fn equals_come_in_order_of_id() {
    let names = ["pear", "apple", "fig"];
    let model = Tiny::new(0).load(strings(&names)).unwrap();
    let answer = ask(&model, vec![question(1, "which?", ALL)]).remove(0).unwrap();
    assert_eq!(texts(&answer), names);
    let thirds = answer.candidates.iter().all(|candidate| (candidate.probability.unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert!(thirds, "{answer:?}");
}

#[test]
fn a_name_that_another_begins_with_competes_at_its_end() {
    let model = Tiny::new(0).load(strings(&["ab", "a", "b"])).unwrap();
    let answer = ask(&model, vec![question(1, "which?", ALL)]).remove(0).unwrap();
    let found: Vec<_> = answer.candidates.iter().map(|c| (c.text.as_str(), c.probability.unwrap())).collect();
    // Half for `b`; the other half is shared by what begins with `a`.
    assert_eq!(found[0].0, "b");
    assert!((found[0].1 - 0.5).abs() < 1e-9 && (found[1].1 - 0.25).abs() < 1e-9, "{found:?}");
    assert_eq!([found[1].0, found[2].0], ["ab", "a"]);
}

#[test]
fn the_only_name_costs_nothing() {
    let answer = ask(&tiny(&["only"]), vec![question(1, "which?", ALL)]).remove(0).unwrap();
    assert_eq!((texts(&answer), whole(&answer), answer.usage.answer), (vec!["only"], 1.0, 0));
}

#[test]
fn two_thousand_names_and_no_more_candidates_than_asked_for() {
    let names: Vec<String> = (0..2_000).map(|n| format!("interest {}, topic {n}", n % 97)).collect();
    let model = Tiny::new(5).load(names.clone()).unwrap();
    let five = Decoding::Constrained { best: 5 };
    let questions = (0..20).map(|n| question(n, &format!("history {n}"), five)).collect();
    for answer in ask(&model, questions) {
        let answer = answer.unwrap();
        assert_eq!(answer.candidates.len(), 5);
        assert!(answer.candidates.iter().all(|candidate| names.contains(&candidate.text)));
        assert!(whole(&answer) <= 1.0 + 1e-9);
    }
}

#[test]
fn names_that_a_model_cannot_take_are_refused() {
    let load = |names: Vec<String>| Tiny::new(5).load(names).err().unwrap().to_string();
    assert!(load(vec![]).contains("no name to choose from"));
    assert!(load(strings(&["same", "same"])).contains("cannot tell \"same\" from \"same\""));
    assert!(load(vec!["long ".repeat(100)]).contains("shorten it"));
}
