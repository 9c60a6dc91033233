//! The whole pipeline on real ratings, with the model in the process.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use segue::proto::Source;
use serde_json::Value;

use super::harness::World;
use super::server::Server;
use crate::count::shared;

/// Two months of ratings; a few keys, since each takes a part of a second.
pub(super) fn world() -> Option<World> {
    let [log, clusters] = ["interactions.parquet", "clusters.csv"].map(shared);
    let (log, clusters) = (log?, clusters?);
    let world = World::with_log("");
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/models");
    world.write(
        "segue.toml",
        &format!(
            r#"
[store]
path = "store"
[clusters]
path = {clusters:?}
[interactions]
path = {log:?}
positive = "rating >= 7"
[table]
spill_dir = "."
[refresh]
window = "60d"
policy = "on_demand"
[retrieval]
window = "30d"
[inference]
backend = "embedded"
keys = {{ observed = 2 }}
max_keys = 24
decoding = {{ constrained = true, max_tokens = 12 }}
embedded = {{ cache = {cache:?} }}
[evaluation]
exact_match = {{ first = 16 }}
[serve]
http_addr = "127.0.0.1:0"
grpc_addr = "127.0.0.1:0"
admin_addr = "127.0.0.1:0"
"#
        ),
    );
    Some(world)
}

/// What a refresh told, or `None` where there is no model to ask.
fn refreshed(world: &World, args: &[&str]) -> Option<(Option<i32>, Value)> {
    let ran = world.run(&[&["refresh", "--json", "--to", "2013-10-01"], args].concat());
    if ran.stdout.is_empty() && ran.stderr.contains("fetched") {
        eprintln!("SKIPPED: {}", ran.stderr);
        return None;
    }
    Some((ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))))
}

fn finding<'j>(told: &'j Value, gate: &str) -> &'j Value {
    let findings = told["judgement"]["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["gate"] == gate).unwrap()
}

#[tokio::test]
async fn an_untuned_model_is_held_and_served_once_someone_approves_it() {
    let Some(world) = world() else { return };
    let Some((code, told)) = refreshed(&world, &[]) else { return };
    println!("{:#}", told["judgement"]["findings"]);
    assert_eq!((code, finding(&told, "exact_match")["outcome"].as_str()), (Some(3), Some("fail")), "{told}");
    world.run(&["versions", "publish", "v1"]).refused(&["v1 is held by its gates", "exact_match"]);

    // Someone lets it speak anyway, from the vocabulary alone.
    let lenient = [
        "--set",
        "evaluation.exact_match.severity=warn",
        "--set",
        "evaluation.collapse.severity=warn",
        "--set",
        "evaluation.recall.severity=fail",
        "--set",
        "evaluation.recall.min=1.0",
    ];
    let (code, told) = refreshed(&world, &lenient).unwrap();
    println!("{:#}", told["judgement"]["findings"]);
    assert_eq!((code, finding(&told, "exact_match")["outcome"].as_str()), (Some(3), Some("warn")), "{told}");
    assert_eq!(finding(&told, "recall")["outcome"], "fail");
    assert_eq!(world.text(&["versions", "approve", "v2", "--why", "to see what it says"]), "v2 is approved\n");
    assert_eq!(world.text(&["versions", "publish", "v2"]), "main is at v2\n");

    let server = Server::start(&world, &[]);
    let answer = server.ask(&keys(&world)[0], 3).await.unwrap();
    assert_eq!((answer.version, answer.matched), (2, 2), "{answer:?}");
    assert_eq!(answer.predictions[0].source(), Source::Llm, "{answer:?}");
}

/// The keys of two clusters, the most observed first: in this order the model is asked for them.
pub(super) fn keys(world: &World) -> Vec<Vec<u32>> {
    let counts = world.text(&["count", "--from", "2013-08-02", "--to", "2013-10-01"]);
    let rows =
        counts.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect::<Vec<u32>>());
    let mut seen = BTreeMap::<Vec<u32>, u32>::new();
    rows.for_each(|row| *seen.entry(row[..2].to_vec()).or_default() += row[3]);
    let mut keys: Vec<_> = seen.into_iter().collect();
    keys.sort_by_key(|(key, seen)| (Reverse(*seen), key.clone()));
    keys.into_iter().map(|(key, _)| key).collect()
}
