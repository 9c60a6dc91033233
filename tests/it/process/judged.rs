//! Gates on the command line: what is held, shown, approved, rejected and explained.

use serde_json::{Value, json};

use super::harness::World;

/// 150 users who meet a cluster a day for seven days, and 20 of them on the eighth. Most go on to the next cluster.
fn log() -> String {
    let cluster =
        |user: u32, day: u32| if (user * 31 + day * 17) % 7 < 5 { (user + day) % 10 } else { user * day % 10 };
    let row = |user: u32, day: u32| format!("{user},{},2026-01-0{day}T{:02}:00:00Z\n", cluster(user, day), user % 24);
    let whole = (1..8).flat_map(|day| (0..150).map(move |user| row(user, day)));
    let rows: String = whole.chain((0..20).map(|user| row(user, 8))).collect();
    format!("user_id,cluster_id,timestamp\n{rows}")
}

fn finding<'j>(judgement: &'j Value, gate: &str) -> &'j Value {
    judgement["findings"].as_array().unwrap().iter().find(|finding| finding["gate"] == gate).unwrap()
}

#[test]
fn an_incomplete_day_is_held_until_someone_approves_it() {
    let world = World::with_log(&log());
    let told = world.json(&["refresh", "--to", "2026-01-08"]);
    assert_eq!((&told["outcome"], &told["version"]), (&json!("published"), &json!(1)), "{told}");
    assert_eq!(told["judgement"]["state"], "passed");
    let live = world.text(&["versions", "list"]);

    let ran = world.run(&["refresh"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.starts_with("held v2: input: 2026-01-08 has 20 positives, usual are 150"), "{ran:?}");
    assert!(ran.stderr.contains("segue versions approve v2"), "{ran:?}");
    let ran = world.run(&["refresh", "--json"]);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &told["outcome"], &told["version"]), (Some(3), &json!("held"), &json!(3)));
    assert_eq!(finding(&told["judgement"], "input")["outcome"], "fail");
    assert!(world.text(&["lookup", "--offline", "3", "4"]).starts_with("v1 "), "{live}");

    world.run(&["versions", "publish", "v2"]).refused(&[
        "v2 is held by its gates",
        "2026-01-08",
        "versions approve v2",
    ]);
    let shown = world.text(&["versions", "show", "v2"]);
    assert!(shown.starts_with("held by ") && shown.contains("  fail  input"), "{shown}");
    assert_eq!(world.run(&["versions", "approve", "v2"]).code, Some(2), "a reason is asked for");
    assert_eq!(world.text(&["versions", "approve", "v2", "--why", "a holiday"]), "v2 is approved\n");
    assert!(world.text(&["lookup", "--offline", "3", "4"]).starts_with("v1 "), "an approval alone moves nothing");
    assert_eq!(world.text(&["versions", "publish", "v2"]), "main is at v2\n");
    assert_eq!(world.json(&["versions", "reject", "v3", "--why", "twice"]), json!({"version": 3, "state": "rejected"}));
    world.run(&["versions", "reject", "v2", "--why", "x"]).refused(&["`main` points at v2", "roll it back"]);
    world.run(&["versions", "publish", "v3"]).refused(&["v3 was rejected (twice)"]);

    let listed = world.json(&["versions", "list"]);
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["rejected", "approved", "passed"]);
    let judgements = &world.json(&["versions", "show", "v2"])["judgements"];
    assert_eq!((&judgements[0]["state"], &judgements[1]["why"]), (&json!("held"), &json!("a holiday")));
}

#[test]
fn thresholds_and_severities_come_from_the_config() {
    let world = World::with_log(&log());
    let with = |set: &[&str]| {
        let set = set.iter().flat_map(|set| ["--set", set]);
        world.run(&["refresh"].into_iter().chain(set).collect::<Vec<_>>())
    };
    assert_eq!(with(&["evaluation.input.min=0.1"]).code, Some(0));
    assert_eq!(with(&["refresh.window=6d"]).code, Some(3));
    let warned = with(&["refresh.window=5d", "evaluation.input.severity=warn"]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(warned.stderr.contains("input: 2026-01-08 has 20"), "{warned:?}");
    let strict = [
        "refresh.window=4d",
        "evaluation.input.severity=off",
        "evaluation.recall.min_positions=1",
        "evaluation.recall.min=1",
    ];
    let held = with(&strict);
    assert_eq!(held.code, Some(3), "{held:?}");
    assert!(held.stdout.contains("recall: held-out users come to the prediction at "), "{held:?}");
    with(&["evaluation.recall.min=2"]).refused(&["[evaluation.recall] min = 2", "from 0 to 1"]);
    with(&["evaluation.recal.min=1"]).refused(&["evaluation.recal", "did you mean `recall`"]);
}

#[test]
fn held_out_users_judge_the_table_and_are_in_it() {
    let world = World::with_log(&log());
    let args = ["refresh", "--to", "2026-01-08", "--set", "evaluation.recall.min_positions=1"];
    let told = world.json(&args);
    let recall = &told["judgement"]["report"]["recall"];
    let share = |name: &str| recall[name].as_f64().unwrap();
    let users = recall["users"].as_u64().unwrap();
    assert!((5..=30).contains(&users), "{recall}");
    assert!(share("low") <= share("recall") && share("recall") <= share("high") && share("random") > 0.0, "{recall}");
    // Everyone is counted in what is published: 150 users with seven days each.
    let popular = world.json(&["explain", "3"]);
    let counted = world.text(&["count", "--k", "1", "--to", "2026-01-08"]);
    let of_3 = counted.lines().filter_map(|line| line.strip_prefix("3,")).filter_map(|rest| rest.split(',').nth(1));
    assert_eq!(popular["explanation"]["seen"], of_3.map(|count| count.parse::<u64>().unwrap()).sum::<u64>());
}

#[test]
fn counts_made_elsewhere_are_judged_by_what_applies() {
    let world = World::with_log(&log());
    world.write("one.csv", "c1,next,count\n1,2,5\n1,3,4\n2,3,1\n");
    let told = world.json(&["refresh", "--counts", "one.csv"]);
    assert_eq!((&told["outcome"], &told["judgement"]["state"]), (&json!("published"), &json!("passed")));
    for gate in ["input", "recall", "churn", "exact_match"] {
        assert_eq!(finding(&told["judgement"], gate)["outcome"], "skip", "{told}");
    }
    world.write("one.csv", "c1,next,count\n1,3,4\n");
    let ran = world.run(&["refresh", "--counts", "one.csv", "--set", "evaluation.coverage.min_keys=0.6"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("coverage: 1 keys, the live version has 2"), "{ran:?}");
}

#[test]
fn a_key_is_explained_by_what_was_counted() {
    let world = World::with_log("");
    world.write("one.csv", "c1,next,count\n1,2,5\n1,3,7\n2,3,1\n");
    world.write("two.csv", "c1,c2,next,count\n4,1,3,2\n");
    world.json(&["refresh", "--counts", "one.csv", "--counts", "two.csv", "--set", "table.min_count=[1, 3]"]);
    let told = world.json(&["explain", "9", "1"]);
    let why = &told["explanation"];
    assert_eq!((&told["version"], &why["key"], &why["seen"]), (&json!(1), &json!([1]), &json!(12)));
    let successors = json!([{"cluster": 3, "count": 7}, {"cluster": 2, "count": 5}]);
    assert_eq!((&why["successors"], &why["retrieved"]), (&successors, &json!([3, 2])));
    assert_eq!((&why["row"][0]["cluster"], &why["row"][0]["source"]), (&json!(3), &json!("retrieved")));
    let text = world.text(&["explain", "4", "1"]);
    assert!(text.contains("key         4 1") && text.contains("retrieved   3"), "{text}");
    assert!(text.contains("row         none: shorter keys answer"), "{text}");
    world.run(&["explain", "8"]).refused(&["v1 has no key for [8]", "popular"]);
    world.run(&["explain", "1", "--version", "v9"]).refused(&["no version v9"]);
    world.json(&["refresh", "--counts", "one.csv", "--set", "refresh.explain=false"]);
    world.run(&["explain", "1"]).refused(&["v2 has no explanations", "refresh.explain"]);
}
