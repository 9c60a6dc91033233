//! `segue evaluate` on a simulated log: every command, in every form, and what is kept.

use serde_json::{Value, json};

use super::harness::World;

/// Twenty days, a version after the fifth and one after the tenth.
fn world() -> World {
    let world = World::simulated(20);
    for to in ["2026-01-06", "2026-01-11"] {
        let told = world.json(&["refresh", "--to", to]);
        assert_eq!(told["outcome"], "published", "{told}");
    }
    world
}

#[test]
fn versions_are_replayed_told_drawn_and_kept() {
    let world = world();
    let versions = "retrieved:2d,retrieved:held,popular:2d,random,version:2,channel:main";
    let fixed = [
        "evaluate",
        "hit-rate",
        "--from",
        "2026-01-11",
        "--to",
        "2026-01-17",
        "--by",
        "2d",
        "--everyone",
        "--resamples",
        "20",
    ];
    let asked = [&fixed[..], &["--versions", versions, "--window", "5d", "--keep", "v2"]].concat();
    let told = world.json(&[&asked[..], &["--csv", "rates.csv", "--picture", "rates.svg"]].concat());
    assert_eq!((told["periods"].as_array().unwrap().len(), told["versions"].as_array().unwrap().len()), (3, 6));
    let overall = |at: usize| &told["versions"][at]["overall"];
    assert_eq!(overall(4), overall(5), "from its own window on, the channel's newest version answers");
    assert!(overall(0)["positions"].as_u64().unwrap() > 0, "{told}");
    assert_eq!((&overall(3)["table_1"], overall(0)["table_1"].is_null()), (&json!(null), false));
    assert_eq!(told["differences"].as_array().unwrap().len(), 5);
    let csv = world.read("rates.csv");
    assert!(csv.starts_with("version,period,users,positions,figure,n,value,low,high\nretrieved:2d,all,"), "{csv}");
    for line in [
        "\nretrieved:2d,all,,,served less that of random,5,",
        ",served where the longest key found has 0,1,",
        ",served where the longest key found has 2,5,",
    ] {
        let found = csv.split_once(line).unwrap_or_else(|| panic!("no `{line}` in {csv}")).1;
        let numbers: Vec<f64> = found.lines().next().unwrap().split(',').map(|cell| cell.parse().unwrap()).collect();
        assert!(numbers.len() == 3 && numbers[1] <= numbers[0] && numbers[0] <= numbers[2], "{line}{numbers:?}");
    }
    assert!(world.read("rates.svg").contains("hit rate@1 (%)") && world.read("rates-n.svg").contains("hit rate@5"));
    let kept = &world.json(&["versions", "show", "v2"])["evaluations"];
    assert_eq!((&kept[0]["seq"], &kept[0]["kind"], &kept[0]["result"]), (&json!(1), &json!("hit-rate"), &told));

    let text = world.text(&[&fixed[..], &["--versions", "version:2"]].concat());
    assert!(text.contains("served@5") && text.contains("version:2"), "{text}");
    // The log ends on the 20th: from the 13th on, what comes true within a week is not all known.
    let ran = world.run(&[&fixed[..], &["--versions", "random"]].concat());
    assert!(ran.stderr.contains("before the log's newest event, 2026-01-20"), "{ran:?}");
    let late = told["cut_short"]["positions"].as_u64().unwrap();
    assert!(late > 0 && late < overall(0)["positions"].as_u64().unwrap(), "{told}");
    let early = [&fixed[..], &["--versions", "random", "--horizon", "1d"]].concat();
    assert_eq!(world.json(&early)["cut_short"]["positions"], 0);
    assert!(!world.run(&early).stderr.contains("newest event"));
    let shown = world.text(&["versions", "show", "v2"]);
    assert!(shown.contains("evaluated") && shown.contains("hit-rate, "), "{shown}");
}

#[test]
fn refresh_policies_are_back_tested_told_and_drawn() {
    let world = World::simulated(12);
    let fixed = ["refresh", "backtest", "--from", "2026-01-06", "--by", "2d", "--window", "5d", "--resamples", "20"];
    let asked = [&fixed[..], &["--policies", "fixed:1d,fixed:3d,adaptive,on_demand"]].concat();
    let told = world.json(&[&asked[..], &["--csv", "cadence.csv", "--picture", "cadence.svg"]].concat());
    let refreshes = |at: usize| told["policies"][at]["refreshes"].as_array().unwrap().len();
    assert_eq!([refreshes(0), refreshes(1), refreshes(3)], [6, 2, 0], "{told}");
    let calls = |at: usize, of: &str| told["policies"][at][of].as_u64().unwrap();
    assert!(calls(0, "calls") > calls(1, "calls") && calls(3, "calls") == 0 && calls(3, "first_calls") > 0);
    let decisions = told["policies"][2]["decisions"].as_array().unwrap();
    assert!(!decisions.is_empty() && decisions.iter().all(|of| of["reason"].is_string()), "{told}");
    let csv = world.read("cadence.csv");
    assert!(csv.starts_with("policy,positions,refreshes,calls,first_calls,cost,n,value,low,high\nfixed:1d,"), "{csv}");
    assert!(world.read("cadence.svg").contains("hit rate@5 (%)"));
    for (picture, shows) in [("refreshes", "refreshes"), ("calls", "LLM calls"), ("cost", "cost")] {
        let picture = world.read(&format!("cadence-{picture}.svg"));
        assert!(picture.contains("on_demand") && picture.contains(shows), "{picture}");
    }
    let text = world.text(&[&fixed[..], &["--policies", "adaptive", "--set", "evaluation.cadence.min=2d"]].concat());
    assert!(text.contains("top-5 stability") && text.contains("LLM calls"), "{text}");
}

#[test]
fn policies_are_compared_in_every_kind_of_world() {
    let world = World::with_log("");
    let size = ["--set", "simulate.users=150", "--set", "simulate.clusters=8", "--set", "refresh.window=5d"];
    let asked = ["evaluate", "cadence", "--seeds", "1", "--first-seed", "7", "--days", "3", "--fixed", "1,2"];
    let asked = [&asked[..], &["--horizon", "1d"], &size].concat();
    let told = world.json(&[&asked[..], &["--csv", "cadence.csv", "--picture", "cadence.svg"]].concat());
    let policies = told["summary"]["policies"].as_array().unwrap();
    let names: Vec<_> = policies.iter().map(|line| line["policy"].as_str().unwrap()).collect();
    assert_eq!(names, ["fixed:1d", "fixed:2d", "adaptive"]);
    let worlds = policies[1]["worlds"].as_array().unwrap();
    let of = |key: &str| worlds.iter().map(|world| world[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("world"), ["none", "slow", "sudden", "seasonal"]);
    assert_eq!((of("refreshes"), policies[0]["refreshes"].as_f64()), (vec![json!(1.0); 4], Some(8.0)));
    let daily = policies[0]["worlds"].as_array().unwrap();
    assert!(daily.iter().all(|world| world["relative_n"]["value"] == 1.0), "{told}");
    assert_eq!(told["runs"].as_array().unwrap().len(), 4 * 3);
    assert_eq!((&told["runs"][0]["seed"], told["runs"][0]["daily"].as_array().unwrap().len()), (&json!(7), 3));
    assert!(
        world.read("cadence.csv").starts_with("world,seed,policy,served_1,served_n,refreshes,calls\nnone,7,fixed:1d,")
    );
    for (picture, shows) in [("", "seasonal"), ("-refreshes", "adaptive"), ("-sudden", "sudden change")] {
        assert!(world.read(&format!("cadence{picture}.svg")).contains(shows), "{picture}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_named() {
    let world = world();
    let ask = |args: &[&str]| world.run(&[&["evaluate", "hit-rate", "--everyone", "--resamples", "0"], args].concat());
    ask(&["--versions", "version:2", "--from", "2026-01-07"]).refused(&["v2 holds what happened up to 2026-01-11"]);
    ask(&["--versions", "version:9"]).refused(&["v9"]);
    ask(&["--versions", "channel:nowhere"]).refused(&["there is no channel `nowhere`"]);
    ask(&["--from", "2027-01-01"]).refused(&["2027"]);
    ask(&["--limit", "9", "--from", "2026-01-11", "--versions", "version:2"]).refused(&["hit rate@9", "at most 8"]);
    let wrong = ask(&["--versions", "fresh"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("retrieved:STEP"), "{wrong:?}");
    // Before anything is measured.
    let stability = ["evaluate", "stability", "--by", "week", "--deals", "0"];
    for (told, says) in [
        (["--picture", "drift.bmp"], "unknown form `bmp`"),
        (["--picture", "drift"], "names no picture"),
        (["--csv", "nowhere/drift.csv"], "nowhere/drift.csv cannot be written"),
        (["--keep", "v99"], "v99"),
    ] {
        let ran = world.run(&[&stability[..], &told].concat());
        ran.refused(&[says]);
        assert!(!ran.stderr.contains("count 0/"), "{ran:?}");
    }
}

#[test]
fn stability_is_told_drawn_and_kept() {
    let world = world();
    let asked = ["evaluate", "stability", "--by", "5d", "--from", "2026-01-01", "--to", "2026-01-21", "--deals", "20"];
    let told = world.json(&[&asked[..], &["--csv", "drift.csv", "--picture", "drift.svg", "--keep", "v2"]].concat());
    let of = |key: &str| told[key].as_array().unwrap();
    assert_eq!((of("periods").len(), of("keys").len(), of("neighbours").len(), of("identical").len()), (4, 4, 3, 4));
    let mean = |of: &Value| of.as_f64().unwrap();
    let neighbours: Vec<f64> = of("neighbours").iter().map(|pair| mean(&pair["all"]["mean"])).collect();
    assert!(neighbours.iter().all(|mean| (0.0..=1.0).contains(mean)), "{told}");
    let pooled = &told["pooled"];
    assert_eq!(pooled["pairs"], 3);
    assert!((mean(&pooled["mean"]) - neighbours.iter().sum::<f64>() / 3.0).abs() < 1e-9, "{told}");
    let difference = &pooled["difference"];
    assert!((mean(&difference["value"]) - (mean(&pooled["mean"]) - mean(&pooled["null"]))).abs() < 1e-9, "{told}");
    assert!(mean(&difference["low"]) < mean(&difference["value"]), "{told}");
    let csv = world.read("drift.csv");
    assert!(csv.starts_with("window,figure,of,keys,value,low,high,variance\n2026-01-06,identical top,1,"), "{csv}");
    for line in
        ["2026-01-16,jaccard,all,", "2026-01-16,jaccard without drift,all,,", "all,jaccard less that without drift,"]
    {
        assert!(csv.lines().any(|found| found.starts_with(line)), "no {line}: {csv}");
    }
    assert!(csv.lines().all(|line| line.split(',').count() == 8), "{csv}");
    for (picture, shows) in [("drift.svg", "top 10"), ("drift-jaccard.svg", "had nothing drifted")] {
        assert!(world.read(picture).contains(shows), "{picture}");
    }
    let kept = &world.json(&["versions", "show", "v2"])["evaluations"][0];
    assert_eq!((&kept["kind"], &kept["result"]), (&json!("stability"), &told));
    let text = world.text(&asked);
    assert!(
        text.contains("same top 5 as first") && text.contains("seen 10 or more") && text.contains("share of it"),
        "{text}"
    );
}

#[test]
fn rows_that_were_left_out_are_told() {
    let rows: String = (0..300).map(|row| format!("{},{},{}\n", row / 10, row % 10, row * 60)).collect();
    let world = World::with_log(&format!("user_id,cluster_id,timestamp\n{rows}7,77,60\n"));
    let asked = ["evaluate", "stability", "--by", "day", "--deals", "0", "--set", "interactions.timestamp_unit=s"];
    let ran = world.run(&asked);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("1 rows: cluster not in the clusters file") && ran.stderr.contains("`77`"), "{ran:?}");
}

#[test]
fn versions_overlap_and_a_refresh_says_what_it_changed() {
    let world = world();
    let told = world.json(&["evaluate", "overlap", "v1", "v2", "--picture", "overlap.png"]);
    let (keys, identical) = (&told["overlap"]["keys"], &told["overlap"]["identical"]);
    assert!(keys.as_u64().unwrap() > 10 && identical.as_u64().unwrap() < keys.as_u64().unwrap(), "{told}");
    assert_eq!((&told["net"], &told["origin"]), (&json!(null), &json!(null)), "no model was asked");
    let differ: Vec<_> = told["differ_in"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(differ.starts_with(&["the window"]) && !differ.contains(&"table.k"), "{differ:?}");
    world
        .run(&["evaluate", "overlap", "v1", "v2", "--repeat", "v1"])
        .refused(&["v1 is no repeat of v1", "no language model"]);
    assert!(std::fs::read(world.file("overlap.png")).unwrap().starts_with(b"\x89PNG"));
    let manifest = world.json(&["versions", "show", "v2"]);
    let changed = &manifest["changed"];
    let differ = keys.as_u64().unwrap() - identical.as_u64().unwrap();
    assert_eq!((&changed["against"], &changed["changed"]), (&json!(1), &json!(differ)));
    assert_eq!(changed["gone"], told["overlap"]["only_first"]);
    assert_eq!(world.json(&["versions", "show", "v1"])["changed"], json!(null));
}

#[test]
fn the_page_of_evidence_says_what_holds() {
    let world = World::simulated(20);
    let args = ["evaluate", "evidence", "--out", "docs", "--name", "a simulated log", "--from", "2026-01-06"];
    let claims = world.json(&[&args[..], &["--resamples", "20", "--deals", "2"]].concat());
    assert!(claims.as_array().unwrap().len() >= 8, "{claims}");
    let page = world.read("docs/evidence.md");
    assert!(page.starts_with("# Evidence: a simulated log") && page.contains("**not measured here**"), "{page}");
    for picture in page.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0) {
        assert!(world.read(&format!("docs/{picture}")).starts_with("<svg"), "{picture}");
    }
    assert!(!page.contains("{{") && !page.contains("NaN"), "{page}");
}
