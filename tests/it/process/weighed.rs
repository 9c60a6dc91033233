//! The adaptive policy under `serve`: a day of log comes, and it is weighed whether to refresh.

use segue::ids::{ClusterId, VersionId};
use segue::interactions::{ClustersConfig, load_taxonomy};
use segue::store::{Config, Judgement, Note, Provenance, State, Store, TaxonomyChange};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, TableBuilder};
use serde_json::{Value, json};

use super::harness::World;
use super::server::{AT_LAST, Server, until};

const WAITED: &str = r#"segue_refresh_decisions_total{decision="wait"}"#;
const REFRESHED: &str = r#"segue_refresh_decisions_total{decision="refresh"}"#;
const SETTINGS: [&str; 6] =
    ["--set", r#"refresh.policy="adaptive""#, "--set", "refresh.look=100ms", "--set", "evaluation.held_out.share=0.3"];

/// Thirty users of a day who take up these clusters, one after the other.
fn day(day: u32, path: [u32; 3]) -> String {
    let event = |user: u32, hour: usize, cluster: u32| {
        format!("{},{cluster},2026-01-{:02}T{:02}:00:00Z\n", day * 100 + user, day + 1, 10 + hour)
    };
    let events = (0..30).flat_map(|user| path.into_iter().enumerate().map(move |(hour, next)| event(user, hour, next)));
    ["user_id,cluster_id,timestamp\n".to_owned()].into_iter().chain(events).collect()
}

/// Seven days of one path.
fn world() -> World {
    let world = World::with_log(&day(0, [1, 2, 4]));
    (1..7).for_each(|of| world.write(&format!("log/{of}.csv"), &day(of, [1, 2, 4])));
    world
}

/// A day's file appears whole.
fn arrive(world: &World, of: u32, path: [u32; 3]) {
    world.write("arriving", &day(of, path));
    std::fs::rename(world.file("arriving"), world.file(&format!("log/{of}.csv"))).unwrap();
}

fn decisions(world: &World) -> Vec<Value> {
    world.json(&["refresh", "--why"])["decisions"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_like_the_others_is_let_pass_and_one_that_changes_is_followed() {
    let world = world();
    world.refresh();
    let server = Server::start(&world, &SETTINGS);
    server.serves(1).await;

    arrive(&world, 7, [1, 2, 4]);
    until(AT_LAST, "first decision", async || server.metric(WAITED).await == 1.0).await;
    let kept = decisions(&world);
    assert_eq!(
        (kept.len(), &kept[0]["live"], &kept[0]["log_to"]),
        (1, &json!(1), &json!("2026-01-08T12:00:00.000000001Z"))
    );
    let decision = &kept[0]["decision"];
    assert_eq!((&decision["refresh"], &decision["reason"]), (&json!(false), &json!("uncertain")), "{decision}");
    assert_eq!((&decision["ageing"]["age"], &decision["ageing"]["loss"]["value"]), (&json!(1.0), &json!(0.0)));
    assert_eq!(decision["ageing"]["stability"]["mean"], 1.0);

    arrive(&world, 8, [1, 3, 5]);
    server.serves(2).await;
    let kept = decisions(&world);
    let decision = &kept[1]["decision"];
    assert_eq!(
        (kept.len(), &decision["refresh"], &decision["reason"]),
        (2, &json!(true), &json!("pays")),
        "{decision}"
    );
    // Half of the positions since, those of the second day, and all of them.
    let lost = decision["ageing"]["loss"]["value"].as_f64().unwrap();
    assert!((lost - 0.5).abs() < 0.1, "{decision}");
    assert!((decision["gain"].as_f64().unwrap() - 200.0 * lost).abs() < 1e-6 && decision["cost"] == 3.0, "{decision}");
    let shown = world.json(&["versions", "show", "v2"]);
    assert_eq!(shown["creator"], "adaptive", "{shown}");
    assert!(shown["reason"].as_str().unwrap().contains("the loss has cost more than a refresh"), "{shown}");
    assert_eq!((server.metric(WAITED).await, server.metric(REFRESHED).await), (1.0, 1.0));
    let told = world.text(&["refresh", "--why"]);
    assert!(told.contains("top-5 stability") && told.lines().count() == 3, "{told}");
}

fn store(world: &World) -> Store {
    Store::open(&Config { path: world.file("store").to_str().unwrap().into(), ..Config::default() }).unwrap()
}

/// A version of a language model's, made from the first days, with this recall in its judgement, and that of the model's
/// first.
fn version_of_model(world: &World, recall: f64, first: Option<f64>) {
    let store =
        Store::open(&Config { path: world.file("store").to_str().unwrap().into(), ..Config::default() }).unwrap();
    let taxonomy = load_taxonomy(&ClustersConfig { path: world.file("clusters.csv") }).unwrap();
    let at = |day: i64| chrono::DateTime::from_timestamp(1_767_225_600 + day * 86_400, 0);
    let lineage = Lineage { model: Some("m".into()), window_from: at(0), window_to: at(7), ..Lineage::default() };
    let limits = BuildLimits { memory: 1 << 20, spill_dir: world.path().into() };
    let mut draft = store.draft().unwrap();
    let mut builder = TableBuilder::new(draft.table(), &taxonomy, Shape { k: 2, width: 8 }, limits).unwrap();
    let next = Candidate { cluster: ClusterId(4), score: Score::ONE, source: Source::Llm };
    builder.push(&[1, 2].map(ClusterId), &[next]).unwrap();
    builder.finish(&lineage, &[Candidate { source: Source::Popular, ..next }]).unwrap();
    let (low, high) = (recall - 0.01, recall + 0.01);
    let first = first.map(|first| json!({ "value": first, "low": first - 0.01, "high": first + 0.01 }));
    let figures =
        json!({ "users": 9, "positions": 9, "hits": 1, "recall": recall, "low": low, "high": high, "random": 0.0 });
    let judgement = Judgement {
        seq: 1,
        state: State::Passed,
        who: "tester".into(),
        at: chrono::Utc::now(),
        why: "it is good".into(),
        findings: Vec::new(),
        report: json!({ "recall": figures, "first_recall": first }),
    };
    draft.judge(&judgement).unwrap();
    let version = store.add(draft, Provenance::default()).unwrap().version;
    let note = Note { who: "tester".into(), why: "a test".into() };
    store.publish("main", version, &note, TaxonomyChange::Refused).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_refreshes_no_longer_help_is_advised_to_be_tuned() {
    let world = world();
    version_of_model(&world, 0.08, None);
    version_of_model(&world, 0.05, Some(0.08));
    let server = Server::start(&world, &SETTINGS);
    server.serves(2).await;
    arrive(&world, 7, [1, 2, 4]);
    until(AT_LAST, "decision", async || server.metric(WAITED).await == 1.0).await;
    let decision = &decisions(&world)[0]["decision"];
    assert_eq!((&decision["finetune"], &decision["ageing"]["recall"]["first"]["value"]), (&json!(true), &json!(0.08)));
    assert_eq!(server.metric("segue_refresh_finetune_advised").await, 1.0);
    let told = world.text(&["refresh", "--why"]);
    assert!(told.contains("fine-tune the model: its recall fell from 8.00 % to 5.00 %"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_weighed_is_not_weighed_again_and_what_fails_is_told() {
    let world = world();
    world.refresh();
    arrive(&world, 7, [1, 2, 4]);
    for _ in 0..2 {
        let server = Server::start(&world, &SETTINGS);
        until(AT_LAST, "decision", async || decisions(&world).len() == 1).await;
        // Several looks later it is still the only one.
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        assert_eq!((decisions(&world).len(), server.version().await), (1, 1));
    }
    let server = Server::start(&world, &SETTINGS);
    server.serves(1).await;
    std::fs::rename(world.file("clusters.csv"), world.file("aside.csv")).unwrap();
    server.says("whether to refresh cannot be weighed").await;
    std::fs::rename(world.file("aside.csv"), world.file("clusters.csv")).unwrap();
    arrive(&world, 8, [1, 3, 5]);
    server.serves(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_decided_on_and_never_came_is_made_up_for() {
    let world = world();
    world.refresh();
    arrive(&world, 7, [1, 2, 4]);
    let log_to = "2026-01-08T12:00:00.000000001Z".parse().unwrap();
    store(&world).keep_decision("main", log_to, VersionId(1), &json!({ "refresh": true })).unwrap();
    let server = Server::start(&world, &SETTINGS);
    server.serves(2).await;
    assert_eq!(store(&world).decisions("main", 9).unwrap().len(), 1, "its day is not weighed again");
}

#[test]
fn nothing_decided_is_said_so() {
    let world = World::with_log("");
    assert!(decisions(&world).is_empty());
    let ran = world.run(&["refresh", "--why"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("nothing was decided for `main` yet"), "{ran:?}");
}
