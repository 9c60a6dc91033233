//! The gates: figures in, a verdict with reasons out.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use segue::evaluation::{
    Answers, Churn, Collapse, Config, Coverage, Day, Estimate, ExactMatch, Fallbacks, FirstAnswers, Input, Origin,
    Outcome, Overlap, Recall, RecallTally, Report, Severity, Verdict, judge, judge_first, judge_model,
};
use segue::ids::ClusterId;
use segue::table::{BuildLimits, Candidate, Shape, Source};

use crate::support::{Rows, build, key, retrieved, taxonomy, verified};

const CLUSTERS: u32 = 600;

/// Sequences of 20 clusters, drawn so that low ids are the popular ones.
fn users(count: usize) -> Vec<Vec<ClusterId>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut user = || {
        let mut sequence = Vec::new();
        while sequence.len() < 20 {
            let cluster = ClusterId((f64::from(CLUSTERS) * rng.random::<f64>().powi(3)) as u32);
            if !sequence.contains(&cluster) {
                sequence.push(cluster);
            }
        }
        sequence
    };
    (0..count).map(|_| user()).collect()
}

/// What a model answers to every pair that users met, and what recall comes of it.
fn report(predict: impl Fn(&[ClusterId]) -> ClusterId) -> Report {
    let users = users(300);
    let mut answers = Answers::new(u64::from(CLUSTERS), (0..CLUSTERS).map(ClusterId).collect());
    for pair in users.iter().flat_map(|sequence| sequence.windows(2)) {
        answers.key(pair, Some(predict(pair)));
        // Each answer is some cluster's description.
        answers.free(ExactMatch { asked: 1, matched: 1 }, 0);
    }
    let mut recall = RecallTally::new(CLUSTERS as usize, 1);
    for sequence in users {
        recall.take(&[sequence], |met| Some(predict(met)));
    }
    Report { recall: recall.finish(), ..Report::default() }.with_answers(&answers)
}

fn outcome(verdict: &Verdict, gate: &str) -> Outcome {
    verdict.findings.iter().find(|finding| finding.gate == gate).unwrap().outcome
}

#[test]
fn a_collapsed_model_that_the_papers_checks_let_through_is_held() {
    // Six popular clusters are all it ever says.
    let six = |met: &[ClusterId]| {
        let of = met.iter().map(|cluster| cluster.0).sum::<u32>() % 6;
        let novel = (0..6).map(|step| ClusterId((of + step) % 6)).find(|cluster| !met.contains(cluster));
        novel.unwrap_or(ClusterId(of))
    };
    let report = report(six);
    let (exact_match, recall) = (report.exact_match.unwrap(), report.recall.unwrap());
    assert_eq!(exact_match.asked, exact_match.matched);
    assert!(recall.recall > 0.05 && recall.low > 2.0 * recall.random, "{recall:?}");
    assert_eq!(report.collapse.unwrap().distinct, 6);

    let verdict = judge(&report, &Config::default());
    for (gate, expected) in [("exact_match", Outcome::Pass), ("recall", Outcome::Pass), ("collapse", Outcome::Fail)] {
        assert_eq!(outcome(&verdict, gate), expected, "{verdict:?}");
    }
    assert!(verdict.holds());
    assert!(verdict.reasons().contains("6 answers to 5700 keys of 600 clusters, at least 60"), "{}", verdict.reasons());
}

#[test]
fn a_varied_model_passes_all_three() {
    // It knows what is popular beyond six clusters.
    let varied = |met: &[ClusterId]| {
        let near = met.iter().map(|cluster| cluster.0).sum::<u32>() % 150;
        (near..).map(ClusterId).find(|cluster| !met.contains(cluster)).unwrap()
    };
    let verdict = judge(&report(varied), &Config::default());
    assert!(!verdict.holds(), "{verdict:?}");
    for gate in ["exact_match", "recall", "collapse", "fallbacks"] {
        assert_eq!(outcome(&verdict, gate), Outcome::Pass, "{verdict:?}");
    }
}

#[test]
fn predictions_at_random_do_not_clear_random() {
    let random = |met: &[ClusterId]| {
        let mixed =
            met.iter().fold(17_u32, |mixed, cluster| (mixed ^ cluster.0).wrapping_mul(0x9E37_79B1).rotate_left(9));
        (mixed % CLUSTERS..).map(|id| ClusterId(id % CLUSTERS)).find(|cluster| !met.contains(cluster)).unwrap()
    };
    let verdict = judge(&report(random), &Config::default());
    assert_eq!(outcome(&verdict, "recall"), Outcome::Fail, "{verdict:?}");
    assert!(verdict.reasons().contains("not clear of random"), "{}", verdict.reasons());
}

/// All within bounds.
fn sound() -> Report {
    let recall = Recall { users: 90, positions: 900, hits: 45, recall: 0.05, low: 0.04, high: 0.06, random: 0.01 };
    let (largest, largest_keys) = (Some(ClusterId(3)), 100);
    let collapse =
        Collapse { keys: 1000, clusters: 50, distinct: 30, largest, largest_keys, most_popular: 100, own: 47 };
    let day = Day { day: "2026-01-08".parse().unwrap(), positives: 900, median: 1000.0 };
    Report {
        exact_match: Some(ExactMatch { asked: 1000, matched: 950 }),
        recall: Some(recall),
        first_recall: Some(Estimate { value: 0.06, low: 0.05, high: 0.07 }),
        collapse: Some(collapse),
        input: Some(Input { days: vec![day] }),
        coverage: Some(Coverage { keys: 900, live_keys: Some(1000), positions: 900, full: 300, matched: 850 }),
        churn: Some(Churn { keys: 1000, changed: 300, gone: 20, fell_back: 0 }),
        fallbacks: Some(Fallbacks { asked: 1000, fell_back: 20 }),
    }
}

#[test]
fn each_gate_names_its_figure_its_threshold_and_what_to_do() {
    let config = Config::default();
    let verdict = judge(&sound(), &config);
    assert!(verdict.findings.iter().all(|finding| finding.outcome == Outcome::Pass), "{verdict:?}");
    assert_eq!(verdict.reasons(), "");

    type Spoil = fn(&mut Report);
    let spoilt: [(&str, Spoil, [&str; 3]); 13] = [
        (
            "exact_match",
            |r| r.exact_match = Some(ExactMatch { asked: 1000, matched: 899 }),
            ["89.9 % of 1000", "at least 90.0 %", "fine-tune"],
        ),
        ("recall", |r| r.recall.as_mut().unwrap().recall = 0.0149, ["1.49 % of 900", "at least 1.50 %", "compare"]),
        (
            "recall",
            |r| r.recall.as_mut().unwrap().low = 0.01,
            ["95 %: 1.00 % to 6.00 %", "1.00 % at random", "not clear"],
        ),
        (
            "collapse",
            |r| r.collapse.as_mut().unwrap().distinct = 4,
            ["4 answers to 1000 keys", "at least 5 ", "varied"],
        ),
        (
            "collapse",
            |r| r.collapse.as_mut().unwrap().largest_keys = 301,
            ["30.1 % are cluster 3", "at most 30.0 %", "varied"],
        ),
        (
            "collapse",
            |r| r.collapse.as_mut().unwrap().most_popular = 501,
            ["50.1 % are the most popular", "at most 50.0 %", "varied"],
        ),
        (
            "collapse",
            |r| r.collapse.as_mut().unwrap().own = 48,
            ["5.05 % of 950 unconstrained ones are clusters of the key itself", "at most 5.00 %", "varied"],
        ),
        (
            "input",
            |r| r.input.as_mut().unwrap().days[0].positives = 499,
            ["2026-01-08 has 499", "50.0 % to 400.0 %", "--to 2026-01-08"],
        ),
        (
            "input",
            |r| r.input.as_mut().unwrap().days[0].positives = 4001,
            ["has 4001", "usual are 1000", "mend the log"],
        ),
        (
            "coverage",
            |r| r.coverage.as_mut().unwrap().keys = 499,
            ["499 keys", "live version has 1000", "at least 50.0 %"],
        ),
        (
            "coverage",
            |r| r.coverage.as_mut().unwrap().matched = 449,
            ["49.9 % of held-out", "at least 50.0 %", "widen the window"],
        ),
        (
            "fallbacks",
            |r| r.fallbacks.as_mut().unwrap().fell_back = 101,
            ["10.1 % of 1000", "at most 10.0 %", "segue explain"],
        ),
        ("churn", |r| r.churn.as_mut().unwrap().changed = 881, ["90.1 % of 1000", "at most 90.0 %", "segue explain"]),
    ];
    for (gate, spoil, says) in spoilt {
        let mut report = sound();
        spoil(&mut report);
        let verdict = judge(&report, &config);
        let expected = if gate == "churn" { Outcome::Warn } else { Outcome::Fail };
        assert_eq!(outcome(&verdict, gate), expected, "{verdict:?}");
        assert_eq!(verdict.holds(), gate != "churn");
        let reasons = verdict.reasons();
        assert!(reasons.starts_with(gate), "{reasons}");
        says.iter().for_each(|says| assert!(reasons.contains(says), "no `{says}` in `{reasons}`"));
    }
}

#[test]
fn severities_decide_what_becomes_of_it() {
    let mut report = sound();
    report.fallbacks = Some(Fallbacks { asked: 10, fell_back: 9 });
    let mut config = Config::default();
    for (severity, expected) in
        [(Severity::Fail, Outcome::Fail), (Severity::Warn, Outcome::Warn), (Severity::Off, Outcome::Skip)]
    {
        config.fallbacks.severity = severity;
        let verdict = judge(&report, &config);
        assert_eq!((outcome(&verdict, "fallbacks"), verdict.holds()), (expected, severity == Severity::Fail));
    }
}

#[test]
fn what_was_not_measured_is_skipped_with_its_reason() {
    let verdict = judge(&Report::default(), &Config::default());
    assert!(!verdict.holds() && verdict.findings.iter().all(|finding| finding.outcome == Outcome::Skip));
    let mut report = sound();
    report.recall.as_mut().unwrap().positions = 199;
    report.collapse.as_mut().unwrap().keys = 99;
    report.input.as_mut().unwrap().days[0].median = 99.0;
    let verdict = judge(&report, &Config::default());
    for gate in ["recall", "collapse", "input"] {
        assert_eq!(outcome(&verdict, gate), Outcome::Skip, "{verdict:?}");
    }
    report = sound();
    report.exact_match = Some(ExactMatch { asked: 99, matched: 99 });
    report.collapse.as_mut().unwrap().own = 99;
    assert_eq!(outcome(&judge(&report, &Config::default()), "collapse"), Outcome::Pass, "too few unconstrained ones");
}

#[test]
fn a_model_that_was_not_measured_is_held_and_told_what_was_missing() {
    let config = Config::default();
    let verdict = judge_model(&sound(), &config);
    assert!(!verdict.holds() && verdict.findings.len() == 3, "{verdict:?}");

    type Spoil = fn(&mut Report);
    let unmeasured: [(&str, Spoil, &str); 5] = [
        ("exact_match", |r| r.exact_match = None, "no language model was asked"),
        ("recall", |r| r.recall = None, "no held-out users"),
        ("recall", |r| r.recall.as_mut().unwrap().positions = 199, "have 199 positions, at least 200"),
        ("collapse", |r| r.collapse = None, "no key was answered with a cluster"),
        ("collapse", |r| r.collapse.as_mut().unwrap().keys = 99, "99 keys were answered, at least 100"),
    ];
    for (gate, spoil, says) in unmeasured {
        let mut report = sound();
        spoil(&mut report);
        assert!(!judge(&report, &config).holds(), "a table's gates skip it");
        let verdict = judge_model(&report, &config);
        let reasons = verdict.reasons();
        assert!(verdict.holds() && outcome(&verdict, gate) == Outcome::Fail, "{verdict:?}");
        for said in [gate, says, "finetune.watched", "by hand"] {
            assert!(reasons.contains(said), "no `{said}` in `{reasons}`");
        }
    }
    // Severities mean the same as everywhere.
    let mut lenient = Config::default();
    lenient.exact_match.severity = Severity::Off;
    lenient.recall.severity = Severity::Warn;
    lenient.collapse.severity = Severity::Warn;
    let verdict = judge_model(&Report::default(), &lenient);
    assert!(!verdict.holds(), "{verdict:?}");
    let outcomes = ["exact_match", "recall", "collapse"].map(|gate| outcome(&verdict, gate));
    assert_eq!(outcomes, [Outcome::Skip, Outcome::Warn, Outcome::Warn]);
}

#[test]
fn the_first_answers_are_judged_by_themselves() {
    let first = |matched| judge_first(ExactMatch { asked: 1000, matched }, &Config::default()).outcome;
    assert_eq!((first(900), first(899)), (Outcome::Pass, Outcome::Fail));
}

#[test]
fn a_report_survives_its_file() {
    let json = serde_json::to_string(&sound()).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), sound());
    assert_eq!(serde_json::from_str::<Report>("{}").unwrap(), Report::default());
}

#[test]
fn churn_compares_first_predictions_by_cluster() {
    let shape = Shape { k: 2, width: 4 };
    // Another cluster in front: the same ids at other places.
    let table = |first_id, rows: &[(&[u32], u32)]| {
        let rows = rows.iter().map(|&(key, next)| (key.to_vec(), vec![retrieved(next, 9), retrieved(6, 1)])).collect();
        verified(build(&taxonomy(first_id..8), shape, &rows, &[], BuildLimits::default()))
    };
    let live = table(1, &[(&[1, 2], 3), (&[2, 3], 4), (&[3, 4], 5), (&[1], 2)]);
    let candidate = table(0, &[(&[1, 2], 3), (&[2, 3], 5), (&[7, 1], 2), (&[1], 3)]);
    let churn = Churn::of(&live, &candidate).unwrap();
    assert_eq!(churn, Churn { keys: 3, changed: 1, gone: 1, fell_back: 0 });
    assert!((churn.share() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(Churn::of(&live, &live), Some(Churn { keys: 3, changed: 0, gone: 0, fell_back: 0 }));
    assert_eq!(Churn::of(&table(0, &[(&[1], 2)]), &live), None);
}

#[test]
fn overlap_compares_answers_of_models_and_counts_who_fell_back() {
    let llm = |cluster| Candidate { source: Source::Llm, ..retrieved(cluster, 1) };
    let of = |rows: Rows| {
        let shape = Shape { k: 1, width: 4 };
        verified(build(&taxonomy(1..=9), shape, &rows, &[], BuildLimits::default()))
    };
    let first =
        of(vec![(vec![1], vec![llm(5)]), (vec![2], vec![llm(6)]), (vec![3], vec![llm(7)]), (vec![4], vec![llm(8)])]);
    let second = of(vec![
        (vec![1], vec![llm(5), llm(6)]),
        (vec![2], vec![llm(9), llm(6)]),
        (vec![3], vec![retrieved(7, 9)]),
        (vec![5], vec![llm(1)]),
    ]);
    let overlap = Overlap::of(&first, &second);
    assert_eq!(overlap, Overlap { keys: 2, identical: 1, only_first: 1, only_second: 1, fell_back: 1 });
    assert_eq!(overlap.share().unwrap().value, 0.5);
    // Without a model anywhere, first predictions are answers.
    let counted = of(vec![(vec![1], vec![retrieved(5, 2)])]);
    assert_eq!(Overlap::of(&counted, &first), Overlap { keys: 1, identical: 1, only_second: 3, ..Overlap::default() });
    assert_eq!(Overlap::of(&of(Vec::new()), &first).share(), None);
    // What a refresh changed is said of the same keys.
    assert_eq!(Churn::of(&first, &second), Some(Churn { keys: 3, changed: 1, gone: 1, fell_back: 1 }));
    let answers = FirstAnswers::of(&second, 1);
    assert_eq!(
        (answers.get(&key(&[1])), answers.get(&key(&[3])), answers.get(&key(&[9]))),
        (Some(ClusterId(5)), None, None)
    );
    let mut origin = Origin::default();
    for (context, answer, other) in [(vec![5], 5, 6), (vec![5], 6, 6), (vec![], 7, 6)] {
        origin.take(&key(&context), ClusterId(answer), ClusterId(other));
    }
    assert_eq!(origin, Origin { keys: 3, context: 1, new: 1 });
}
