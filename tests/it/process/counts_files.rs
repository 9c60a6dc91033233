//! Counts made elsewhere.

use serde_json::Value;

use super::harness::World;

const LOG: &str = "user_id,cluster_id,timestamp
1,1,2026-01-01\n1,2,2026-01-02\n1,3,2026-01-03\n1,4,2026-01-04
2,1,2026-01-01\n2,2,2026-01-02\n2,4,2026-01-03\n2,3,2026-01-04
3,2,2026-01-01\n3,1,2026-01-02\n3,3,2026-01-03\n3,5,2026-01-04
4,1,2026-01-01\n4,2,2026-01-02\n4,3,2026-01-03\n4,9,2026-01-04
";

/// What the live version answers to each pair of clusters, from its keys of two and of one alone.
fn answers(world: &World) -> Vec<String> {
    let pairs = (1..=4).flat_map(|one| (1..=4).map(move |two| (one, two))).filter(|(one, two)| one != two);
    let ask = |(one, two): (u32, u32)| {
        let told = world.json(&["lookup", "--offline", "--limit", "8", &one.to_string(), &two.to_string()]);
        let predictions = told["predictions"].as_array().unwrap().iter();
        let counted = predictions.filter(|one| one["source"] == "retrieved").cloned();
        format!("{one},{two}: {} {}", told["matched"], Value::from_iter(counted))
    };
    pairs.map(ask).collect()
}

#[test]
fn counts_that_went_through_files_make_the_table_that_the_log_makes() {
    let world = World::with_log(LOG);
    for k in ["1", "2"] {
        world.write(&format!("k{k}.csv"), &world.text(&["count", "--k", k]));
    }
    world.refresh();
    let from_log = answers(&world);
    assert!(from_log.iter().any(|told| told.starts_with("1,2: 2 [") && told.contains(r#""level":2"#)), "{from_log:?}");
    let told = world.json(&["refresh", "--counts", "k1.csv", "--counts", "k2.csv"]);
    assert_eq!((&told["outcome"], &told["version"]), (&"published".into(), &2.into()), "{told}");
    assert_eq!(answers(&world), from_log);
    assert_eq!(world.json(&["versions", "show", "v2"])["keys"], world.json(&["versions", "show", "v1"])["keys"]);
    let again = world.run(&["refresh", "--counts", "k2.csv", "--counts", "k1.csv"]);
    assert_eq!(again.code, Some(4), "the same counts in another order: {again:?}");

    let rows: Vec<_> = world.read("k2.csv").lines().skip(1).map(str::to_owned).collect();
    let shuffled: String = rows.iter().rev().map(|row| format!("{row}\n")).collect();
    world.write("k2.csv", &format!("c1,c2,next,count\n{shuffled}"));
    assert_eq!(world.run(&["refresh", "--counts", "k1.csv", "--counts", "k2.csv"]).code, Some(0));
    assert_eq!(answers(&world), from_log, "rows may come in any order");
}

#[test]
fn the_full_key_alone_leaves_shorter_ones_to_popular() {
    let world = World::with_log(LOG);
    world.write("k2.csv", &world.text(&["count", "--k", "2"]));
    assert_eq!(world.run(&["refresh", "--counts", "k2.csv"]).code, Some(0));
    assert_eq!(world.json(&["versions", "show", "v1"])["keys"][0], 0);
    let told = world.json(&["lookup", "--offline", "9", "1", "2"]);
    assert_eq!((&told["matched"], &told["predictions"][0]["cluster"]), (&2.into(), &3.into()), "{told}");
    let told = world.json(&["lookup", "--offline", "1"]);
    assert_eq!((&told["matched"], &told["predictions"][0]["source"]), (&0.into(), &"popular".into()), "{told}");
}

#[test]
fn counts_that_cannot_be_right_are_named_with_their_line() {
    let world = World::with_log(LOG);
    world.refresh();
    let before = world.store();
    for (text, parts) in [
        ("c1,nxt,count\n1,2,3\n", ["line 1", "the header must be c1,...,ck,next,count"]),
        ("c2,c1,next,count\n1,2,3,4\n", ["line 1", "the columns are `c2`"]),
        ("c1,next,count\n1,2,3\n1,99,3\n", ["line 3", "cluster 99 is not in the clusters file"]),
        ("c1,next,count\n1,2,3\n1,3,many\n", ["line 3", "expected 3 whole numbers"]),
        ("c1,next,count\n1,2,3\n1,3\n", ["line 3", ""]),
        ("c1,next,count\n1,1,3\n", ["line 2", "cluster 1 stands twice"]),
        ("c1,next,count\n1,2,0\n", ["line 2", "the count is 0"]),
        ("c1,next,count\n1,2,3\n1,3,1\n1,2,4\n", ["line 4", "stands in line 2 already"]),
        ("c1,next,count\n", ["no transition was counted in k.csv", "give files with rows"]),
        ("", ["k.csv", ""]),
        ("c1,c2,c3,next,count\n1,2,3,4,5\n", ["counts keys of 3", "set table.k to 3"]),
    ] {
        world.write("k.csv", text);
        world.run(&["refresh", "--counts", "k.csv"]).refused(&[&["k.csv"], parts.as_slice()].concat());
        assert_eq!(world.store(), before, "{text}");
    }
    world.write("k.csv", "c1,next,count\n1,2,3\n");
    world.write("l.csv", "c1,next,count\n1,3,3\n");
    let both = ["refresh", "--counts", "k.csv", "--counts", "l.csv"];
    world.run(&both).refused(&["k.csv and l.csv both count keys of 1", "one file for each key length"]);
    world.run(&["refresh", "--counts", "none.csv"]).refused(&["none.csv", "No such file"]);
    assert_eq!(world.store(), before);
}
