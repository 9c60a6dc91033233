//! A whole experiment: two arms served, exposures logged, outcomes joined, a reading.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use rustix::process::Signal;
use segue::proto::{LookupRequest, ReloadRequest};
use serde_json::Value;

use super::harness::World;
use super::server::{AT_LAST, Server, until};
use crate::serve::harness::lookup;

const UNITS: usize = 400;

const EXPERIMENT: &str = r#"
[[experiments]]
name = "rag"
salt = "2026-rag"
arms = [
    { name = "control", weight = 0.5, channel = "control" },
    { name = "fresh", weight = 0.5, channel = "fresh" },
]
"#;

const LOGGED: &str = r#"
[exposures]
path = "exposures"
every = "100ms"
"#;

pub(super) const OUTCOMES: &str = r#"
[outcomes]
path = "outcomes.csv"
[outcomes.metrics]
"satisfied outcomes" = { sum = "satisfied" }
"satisfaction rate" = { mean = "satisfied" }
"dissatisfaction rate" = { ratio = { of = "rating < 3", per = "1" } }
"#;

/// With a version on `main`, `control` and `fresh`, and the experiment between the latter two.
pub(super) fn world(settings: &str) -> World {
    let world = World::simulated(2);
    world.refresh();
    for channel in ["control", "fresh"] {
        world.text(&["versions", "publish", "1", "--channel", channel, "--why", "an arm"]);
    }
    let config = world.read("segue.toml");
    world.write("segue.toml", &(config + EXPERIMENT + settings));
    world
}

/// What one row of the outcome log says.
#[derive(Clone, Copy)]
struct Outcome {
    unit: usize,
    at: DateTime<Utc>,
    satisfied: bool,
    rating: u32,
}

/// Deterministic outcomes: `fresh` is satisfied more often, everyone was as they are before.
fn outcomes(arms: &[String], now: DateTime<Utc>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for (unit, arm) in arms.iter().enumerate() {
        for row in 0..(1 + unit % 4) {
            let rating = ((unit * 7 + row * 3) % 10) as u32;
            let before = Outcome { unit, at: now - Duration::days(2), satisfied: rating > 4, rating: rating + 100 };
            let satisfied = rating > if arm == "fresh" { 3 } else { 4 };
            outcomes.push(Outcome { at: before.at + Duration::seconds(row as i64), ..before });
            outcomes.push(Outcome { unit, at: now + Duration::seconds(1 + row as i64), satisfied, rating });
        }
    }
    outcomes
}

fn csv(outcomes: &[Outcome]) -> String {
    let row = |o: &Outcome| format!("user {},{},{},{}\n", o.unit, o.at.to_rfc3339(), o.satisfied, o.rating);
    "user_id,timestamp,satisfied,rating\n".to_owned() + &outcomes.iter().map(row).collect::<String>()
}

/// Sum of satisfied rows a unit, their share, and the share of rows rated below 3; of one arm, of what came after.
fn by_hand(outcomes: &[Outcome], arms: &[String], arm: &str, now: DateTime<Utc>) -> [f64; 3] {
    let of_arm: Vec<_> = outcomes.iter().filter(|o| arms[o.unit] == arm && o.at > now).collect();
    let units = arms.iter().filter(|of| *of == arm).count() as f64;
    let satisfied = of_arm.iter().filter(|o| o.satisfied).count() as f64;
    let low = of_arm.iter().filter(|o| o.rating < 3).count() as f64;
    [satisfied / units, satisfied / of_arm.len() as f64, low / of_arm.len() as f64]
}

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{found} where {expected} was expected"));
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found}, expected {expected}");
}

/// Serves the experiment; returns the arm of each unit, and a moment after all exposures.
async fn served(world: &World) -> (Vec<String>, DateTime<Utc>) {
    let mut server = Server::start(world, &["--no-refresher"]);
    let _ = server.serves(1).await;
    until(AT_LAST, "both channels", async || {
        let asked = async |channel: &str| {
            let request = LookupRequest { channel: channel.into(), ..lookup(&[3], 1) };
            server.lookups().await.lookup(request).await.is_ok()
        };
        asked("control").await && asked("fresh").await
    })
    .await;
    let mut arms = vec![String::new(); UNITS];
    // Two rounds at once over several connections: a unit is met by several threads at about the same time.
    for _ in 0..2 {
        let mut asking = Vec::new();
        for part in 0..4 {
            let mut client = server.lookups().await;
            asking.push(tokio::spawn(async move {
                let mut arms = BTreeMap::new();
                for unit in (0..UNITS).filter(|unit| unit % 4 == part || unit % 7 == 0) {
                    let request = LookupRequest { unit: format!("user {unit}"), ..lookup(&[3, 5], 4) };
                    let answer = client.lookup(request).await.unwrap().into_inner();
                    assert_eq!((answer.experiment.as_str(), answer.version), ("rag", 1));
                    arms.insert(unit, answer.arm);
                }
                arms
            }));
        }
        for asked in asking {
            asked.await.unwrap().into_iter().for_each(|(unit, arm)| arms[unit] = arm);
        }
    }
    let logged = async |arm: &str| {
        server.metric(&format!(r#"segue_exposures_total{{experiment="rag",arm="{arm}"}}"#)).await as usize
    };
    let total = logged("control").await + logged("fresh").await;
    assert_eq!(total, UNITS, "exposures: once each");
    until(AT_LAST, "a live sample-ratio check", async || {
        server.metric(r#"segue_experiment_sample_ratio_p_value{experiment="rag"}"#).await > 0.001
    })
    .await;
    let cli = world.json(&["lookup", "3", "--unit", "user 7", "--addr", &server.grpc.to_string()]);
    assert_eq!((cli["experiment"].as_str(), cli["arm"].as_str()), (Some("rag"), Some(&*arms[7])));
    server.process.signal(Signal::TERM);
    assert!(server.process.ends_within(AT_LAST).success());
    (arms, Utc::now())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_arms_are_served_logged_and_told_apart() {
    let world = world(&[LOGGED, OUTCOMES].concat());
    let offline = world.json(&["lookup", "3", "--unit", "user 7", "--offline"]);
    let (arms, now) = served(&world).await;
    assert_eq!(offline["arm"], *arms[7], "the store's answer names the server's arm");

    let made = outcomes(&arms, now);
    let stranger = Outcome { unit: 9_999, ..made[1] };
    let early = Outcome { at: now - Duration::days(30), ..made[1] };
    world.write("outcomes.csv", &csv(&[&made[..], &made[..5], &[stranger, early]].concat()));
    let report = world.json(&["experiment", "analyze", "--csv", "figures.csv"]);
    assert_eq!(
        (&report["experiment"], &report["control"], &report["mismatch"]),
        (&"rag".into(), &"control".into(), &false.into())
    );
    let units = |arm: &str| arms.iter().filter(|of| *of == arm).count();
    assert_eq!(report["sample_ratio"]["units"], serde_json::json!([units("control"), units("fresh")]));
    let measured = made.iter().filter(|o| o.at > now).count();
    for (found, expected) in [
        (&report["met"]["outcomes_measured"], measured),
        (&report["met"]["outcomes_before"], made.len() - measured),
        (&report["met"]["outcomes_repeated"], 5),
        (&report["met"]["outcomes_at_other_times"], 1),
        (&report["logs"]["outcomes_of_unexposed_units"], 1),
        (&report["met"]["units_without_outcomes"], 0),
    ] {
        assert_eq!(found.as_u64(), Some(expected as u64), "{report:#}");
    }
    let [control, fresh] = ["control", "fresh"].map(|arm| by_hand(&made, &arms, arm, now));
    for (metric, at) in [("satisfied outcomes", 0), ("satisfaction rate", 1), ("dissatisfaction rate", 2)] {
        let told = report["metrics"].as_array().unwrap().iter().find(|told| told["metric"] == metric).unwrap();
        near(&told["in_control"], control[at]);
        near(&told["in_arm"], fresh[at]);
        near(&told["overall"]["percent"], 100.0 * (fresh[at] / control[at] - 1.0));
        let ends = |difference: &Value| {
            let interval = &difference["interval"];
            (interval[0].as_f64().unwrap(), interval[1].as_f64().unwrap())
        };
        let plain = ends(&told["overall"]);
        assert!(plain.0 < plain.1, "{told:#}");
        if at == 0 {
            let adjusted = ends(&told["adjusted"]);
            assert!(adjusted.1 - adjusted.0 < plain.1 - plain.0, "the days before narrow it: {told:#}");
            for day in told["days"].as_array().unwrap() {
                let (plain, adjusted) = (ends(&day["day"]), ends(&day["day_adjusted"]));
                assert!(adjusted.1 - adjusted.0 < plain.1 - plain.0, "and each day: {day:#}");
            }
            assert_eq!(told["days"].as_array().unwrap().last().unwrap()["so_far_adjusted"], told["adjusted"]);
        }
    }
    let figures = world.read("figures.csv");
    let row = |metric: &str, arm: &str| {
        let row = figures.lines().find(|line| line.starts_with(&format!("{metric},{arm},overall,")));
        row.unwrap_or_else(|| panic!("{figures}")).split(',').skip(3).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(figures.starts_with("metric,arm,when,value,units,control_value,control_units,percent,low,"), "{figures}");
    let overall = row("satisfaction rate", "fresh");
    near(&overall[0].parse::<f64>().unwrap().into(), fresh[1]);
    near(&overall[2].parse::<f64>().unwrap().into(), control[1]);
    let told = [overall[1].as_str(), overall[3].as_str()];
    assert_eq!(told, [units("fresh").to_string(), units("control").to_string()]);
    assert_eq!(row("sample ratio", "control")[1], units("control").to_string());
    for when in ["overall adjusted", "to 20"] {
        assert!(figures.contains(&format!("satisfied outcomes,fresh,{when}")), "{figures}");
    }
    let ran = world.run(&["experiment", "analyze"]);
    for step in ["reading exposures", "reading outcomes", "joining them"] {
        assert!(ran.stderr.contains(step), "{}", ran.stderr);
    }
    let shown = world.text(&["experiment", "analyze", "--picture", "figure.svg"]);
    let picture = world.read("figure-satisfaction-rate.svg");
    assert!(picture.contains("satisfaction rate") && picture.contains("difference to control, %"), "{picture}");
    world.text(&["experiment", "analyze", "--picture", "figure.png", "--dark"]);
    let png = std::fs::read(world.file("figure-satisfied-outcomes.png")).unwrap();
    assert_eq!(&png[..4], b"\x89PNG");
    assert!(shown.contains("satisfaction rate: fresh") && shown.contains("overall"), "{shown}");

    refused(&world, &arms);
}

/// What must not be read, or cannot be, is said so.
fn refused(world: &World, arms: &[String]) {
    let rows = arms.iter().enumerate().filter(|(unit, arm)| *arm == "control" || unit % 2 == 0);
    let rows = rows.map(|(unit, arm)| format!("rag,{arm},user {unit},2026-01-01T00:00:00Z\n")).collect::<String>();
    world.write("lost.csv", &("experiment,arm,unit,timestamp\n".to_owned() + &rows));
    let ran = world.run(&["experiment", "analyze", "--exposures", "lost.csv", "--json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("SAMPLE RATIO MISMATCH") && ran.stderr.contains("NOTHING IS READ"), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["mismatch"], &report["metrics"]), (&true.into(), &serde_json::json!([])));

    let one_arm: String = (0..40).map(|unit| format!("rag,control,user {unit},2026-01-01T00:00:00Z\n")).collect();
    world.write("one.csv", &("experiment,arm,unit,timestamp\n".to_owned() + &one_arm));
    assert_eq!(world.run(&["experiment", "analyze", "--exposures", "one.csv"]).code, Some(3));
    let analyze = |args: &[&str]| world.run(&[&["experiment", "analyze"], args].concat());
    // Before anything is read.
    let early = |args: &[&str]| analyze(&[args, &["--exposures", "nowhere"]].concat());
    early(&["--picture", "figure.gif"]).refused(&["figure.gif", "unknown form `gif`"]);
    early(&["--picture", "figure"]).refused(&["figure names no picture", "FILE.svg"]);
    early(&["--picture", "no/figure.svg"]).refused(&["no/figure.svg cannot be written"]);
    early(&["--csv", "store"]).refused(&["store cannot be written"]);
    analyze(&["rgg"]).refused(&["no experiment `rgg`", "did you mean `rag`?"]);
    analyze(&["--control", "old"]).refused(&["no arm `old`", "`control`, `fresh`"]);
    analyze(&["--to", "2020-01-01"]).refused(&["no exposure of experiment `rag`"]);
    analyze(&["--from", "2100-01-01"]).refused(&["no outcome in outcomes.csv follows"]);
    analyze(&["--exposures", "nowhere"]).refused(&["no log files at `nowhere`"]);
    analyze(&["--set", r#"outcomes.metrics={x={sum="raiting"}}"#])
        .refused(&["\"x\" sum = `raiting`", "no column `raiting`"]);
    analyze(&["--set", "outcomes.metrics={}"]).refused(&["[outcomes.metrics] declares no metric"]);
    analyze(&["--set", "outcomes.columns.unit=usr"]).refused(&["no column `usr`", "did you mean `user_id`?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_what_was_not_written_yet_and_nothing_else() {
    let world = world(&[LOGGED, OUTCOMES].concat());
    let mut server = Server::start(&world, &["--no-refresher"]);
    let _ = server.serves(1).await;
    let ask = async |unit: usize| {
        let request = LookupRequest { unit: format!("user {unit}"), ..lookup(&[3], 1) };
        server.lookups().await.lookup(request).await.unwrap().into_inner().arm
    };
    until(AT_LAST, "an arm", async || !ask(0).await.is_empty()).await;
    for unit in 0..30 {
        ask(unit).await;
    }
    until(AT_LAST, "30 in files", async || server.metric("segue_exposures_written_total").await >= 30.0).await;
    ask(30).await;
    server.process.signal(Signal::KILL);
    server.process.ends_within(AT_LAST);
    let outcomes: String =
        (0..40).map(|unit| format!("user {unit},{},{},5\n", Utc::now().to_rfc3339(), unit % 2)).collect();
    world.write("outcomes.csv", &("user_id,timestamp,satisfied,rating\n".to_owned() + &outcomes));
    let report = world.json(&["experiment", "analyze"]);
    let units: u64 =
        report["sample_ratio"]["units"].as_array().unwrap().iter().map(|units| units.as_u64().unwrap()).sum();
    assert!((30..=31).contains(&units), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_path_exposures_are_counted_and_nothing_is_created() {
    let world = world(OUTCOMES);
    // No directory of that name can be made here.
    world.write("exposures", "a file");
    let entries = || std::fs::read_dir(world.path()).unwrap().count();
    let before = entries();
    let mut server = Server::start(&world, &["--no-refresher"]);
    let _ = server.serves(1).await;
    let ask = async |unit: usize| {
        let request = LookupRequest { unit: format!("user {unit}"), ..lookup(&[3], 1) };
        server.lookups().await.lookup(request).await.unwrap().into_inner().arm
    };
    until(AT_LAST, "an arm", async || !ask(0).await.is_empty()).await;
    // An odd number, so that the arms cannot hold the same.
    for unit in (0..21).chain(0..21) {
        ask(unit).await;
    }
    let counted = async |arm: &str| {
        server.metric(&format!(r#"segue_exposures_total{{experiment="rag",arm="{arm}"}}"#)).await as usize
    };
    assert_eq!(counted("control").await + counted("fresh").await, 21);
    until(AT_LAST, "a live sample-ratio check", async || {
        let shown = server.metric(r#"segue_experiment_sample_ratio_p_value{experiment="rag"}"#).await;
        0.0 < shown && shown < 1.0
    })
    .await;
    assert_eq!(server.metric("segue_exposures_written_total").await, 0.0);
    assert_eq!(server.log().matches("exposures are counted but not logged").count(), 1, "{}", server.log());
    server.process.signal(Signal::TERM);
    assert!(server.process.ends_within(AT_LAST).success());
    assert!(!server.log().contains("exposures are lost"), "{}", server.log());
    assert_eq!((world.read("exposures").as_str(), entries()), ("a file", before));
    world.run(&["experiment", "analyze"]).refused(&["no exposure log is named", "--exposures"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_does_not_exist_is_told_at_the_start_and_at_a_reload_until_it_does() {
    let world = World::simulated(2);
    world.refresh();
    world.text(&["versions", "publish", "1", "--channel", "control", "--why", "an arm"]);
    world.write("segue.toml", &(world.read("segue.toml") + EXPERIMENT));
    let server = Server::start(&world, &["--no-refresher"]);
    let missing = "experiment `rag`: arm `fresh` names channel `fresh`, which nothing was published to";
    server.says(missing).await;
    let _ = server.serves(1).await;
    let mut admin = server.operations().await;
    let told = admin.reload(ReloadRequest::default()).await.unwrap().into_inner().refused;
    assert!(told.iter().any(|told| told.contains(missing) && told.contains("control, main")), "{told:?}");
    world.text(&["versions", "publish", "1", "--channel", "fresh", "--why", "the other arm"]);
    server.says("all is well again").await;
    let told = admin.reload(ReloadRequest::default()).await.unwrap().into_inner().refused;
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(server.log().matches(missing).count(), 1, "{}", server.log());
}
