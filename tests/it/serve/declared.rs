//! Experiments declared by calls: they run as soon as the call is answered, and stop so.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use segue::proto::*;
use segue::serve::Config;
use segue::store::Note;
use serde_json::json;
use tonic::Code;

use super::admin::refused;
use super::errors::problem;
use super::harness::*;

fn arm(name: &str, weight: f64, channel: &str) -> Arm {
    Arm { name: name.into(), weight, channel: channel.into() }
}

fn experiment(name: &str, channel: &str) -> Experiment {
    let arms = vec![arm("control", 0.5, "main"), arm("fresh", 0.5, "candidate")];
    Experiment { name: name.into(), salt: format!("{name}'s"), channel: channel.into(), arms, ..Default::default() }
}

fn set(experiment: Experiment) -> SetExperimentRequest {
    SetExperimentRequest { experiment: Some(experiment), who: "ada".into(), why: "to see".into() }
}

fn end(name: &str) -> EndExperimentRequest {
    EndExperimentRequest { experiment: name.into(), who: "eve".into(), why: "seen".into() }
}

/// A server whose `main` answers 25 and whose `candidate` answers 8.
async fn with_candidate(config: Config) -> Served {
    let served = start_with(config, None, true).await;
    publish_on(&served.store, "candidate", add(&served.store, 8));
    served.operations().await.reload(ReloadRequest::default()).await.unwrap();
    served
}

/// Experiment, arm and first prediction of some units, each checked to belong together.
async fn dealt(served: &Served) -> Vec<(String, String)> {
    let ask = |unit: usize| LookupRequest { unit: format!("user {unit}"), ..lookup(&[3, 0], 1) };
    let lookups: Vec<_> = (0..40).map(ask).collect();
    let mut client = served.lookups().await;
    let one = client.lookup(lookups[0].clone()).await.unwrap().into_inner();
    let answers = client.batch_lookup(BatchLookupRequest { lookups }).await.unwrap().into_inner().results;
    assert_eq!(one, answers[0]);
    for answer in &answers {
        assert_eq!(clusters(answer), [if answer.arm == "fresh" { 8 } else { 25 }], "{answer:?}");
    }
    answers.into_iter().map(|answer| (answer.experiment, answer.arm)).collect()
}

fn count(dealt: &[(String, String)], experiment: &str, arm: &str) -> usize {
    dealt.iter().filter(|(e, a)| (e.as_str(), a.as_str()) == (experiment, arm)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_runs_with_the_answer_to_its_call_and_ends_so() {
    // Nothing is noticed by looking around.
    let served = with_candidate(Config { poll: Duration::from_secs(3600), ..Config::default() }).await;
    let mut admin = served.operations().await;
    assert_eq!(count(&dealt(&served).await, "", ""), 40);
    let change = admin.set_experiment(set(experiment("rag", ""))).await.unwrap().into_inner();
    assert_eq!((change.seq, change.action.as_str(), change.who.as_str()), (1, "set", "ada"));
    assert_eq!(change.settings.unwrap().channel, "main", "the server's default");
    let both = dealt(&served).await;
    let (control, fresh) = (count(&both, "rag", "control"), count(&both, "rag", "fresh"));
    assert!(control + fresh == 40 && control > 5 && fresh > 5, "{both:?}");
    for (arm, units) in [("control", control), ("fresh", fresh)] {
        // The first unit was asked for alone, too.
        let units = units + usize::from(both[0].1 == arm);
        served.counted(&format!(r#"segue_experiment_lookups_total{{experiment="rag",arm="{arm}"}} {units}"#)).await;
    }

    let mut shifted = experiment("rag", "main");
    (shifted.arms[0].weight, shifted.arms[1].weight) = (0.1, 0.9);
    admin.set_experiment(set(shifted)).await.unwrap();
    let more = dealt(&served).await;
    assert!(count(&more, "rag", "fresh") > fresh, "{more:?}");
    let moved_back = both.iter().zip(&more).filter(|(old, new)| old.1 == "fresh" && new.1 == "control").count();
    assert_eq!(moved_back, 0, "who was in the arm that grew stays");

    let change = admin.end_experiment(end("rag")).await.unwrap().into_inner();
    assert_eq!((change.seq, change.action.as_str(), change.why.as_str()), (3, "end", "seen"));
    assert_eq!(count(&dealt(&served).await, "", ""), 40);
    let listed = admin.list_experiments(ListExperimentsRequest::default()).await.unwrap().into_inner();
    assert!(listed.experiments.is_empty(), "{listed:?}");
    let told: Vec<_> = listed.changes.iter().map(|one| (one.seq, one.action.as_str(), one.who.as_str())).collect();
    assert_eq!(told, [(3, "end", "eve"), (2, "set", "ada"), (1, "set", "ada")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_make_no_sense_change_nothing() {
    let served = with_candidate(Config::default()).await;
    let mut admin = served.operations().await;
    admin.set_experiment(set(experiment("rag", "main"))).await.unwrap();
    let before = dealt(&served).await;
    let changed = |change: fn(&mut Experiment)| {
        let mut new = experiment("new", "candidate");
        change(&mut new);
        new
    };
    for (experiment, code, reason) in [
        (Experiment::default(), Code::InvalidArgument, "BAD_EXPERIMENT"),
        (changed(|new| drop(new.arms.pop())), Code::InvalidArgument, "BAD_EXPERIMENT"),
        (changed(|new| new.arms[0].weight = f64::NAN), Code::InvalidArgument, "BAD_EXPERIMENT"),
        (changed(|new| new.traffic = Some(0.0)), Code::InvalidArgument, "BAD_EXPERIMENT"),
        (changed(|new| new.name = "n".repeat(1000)), Code::InvalidArgument, "BAD_EXPERIMENT"),
        (
            changed(|new| new.start = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: -1 })),
            Code::InvalidArgument,
            "MALFORMED",
        ),
        (changed(|new| new.channel = "main".into()), Code::FailedPrecondition, "EXPERIMENT_CONFLICT"),
        (changed(|new| new.salt = "rag's".into()), Code::FailedPrecondition, "EXPERIMENT_CONFLICT"),
        (changed(|new| new.arms[1].channel = "nowhere".into()), Code::FailedPrecondition, "EXPERIMENT_CHANNEL"),
        (
            changed(|new| (new.name, new.channel) = ("rag".into(), "main".into())),
            Code::FailedPrecondition,
            "EXPERIMENT_SALT",
        ),
    ] {
        refused(&admin.set_experiment(set(experiment)).await.unwrap_err(), code, reason);
    }
    let long = SetExperimentRequest { why: "x".repeat(10_000), ..set(experiment("rag", "main")) };
    refused(&admin.set_experiment(long).await.unwrap_err(), Code::InvalidArgument, "NOTE_TOO_LONG");
    refused(&admin.end_experiment(end("rgg")).await.unwrap_err(), Code::NotFound, "UNKNOWN_EXPERIMENT");
    assert_eq!(served.store.experiment_changes(0).unwrap().len(), 1);
    assert_eq!(dealt(&served).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn experiments_over_http() {
    let served = with_candidate(Config::default()).await;
    let (admin, path) = (served.admin, "/admin/v1/experiments");
    let body = |arms: serde_json::Value| {
        let experiment = json!({"name": "rag", "salt": "r", "arms": arms, "end": "2999-01-01T00:00:00Z"});
        json!({"experiment": experiment, "who": "ada", "why": "to see"})
    };
    let control = json!({"name": "control", "weight": 0.5, "channel": "main"});
    let arms = json!([control, {"name": "fresh", "weight": 0.5, "channel": "candidate"}]);
    let change = post(admin, path, body(arms.clone())).await.json();
    assert_eq!((&change["seq"], &change["action"], &change["who"]), (&json!(1), &json!("set"), &json!("ada")));
    assert_eq!((&change["settings"]["channel"], &change["settings"]["traffic"]), (&json!("main"), &json!(1.0)));
    assert!(count(&dealt(&served).await, "rag", "fresh") > 5);
    let listed = get(admin, path).await.json();
    let shown = &listed["experiments"][0];
    assert_eq!((&shown["name"], &shown["source"], &shown["phase"]), (&json!("rag"), &json!("call"), &json!("running")));
    assert_eq!((&shown["settings"], &shown["why"]), (&change["settings"], &json!("to see")));
    assert_eq!(listed["changes"], json!([change]));

    problem(post(admin, path, body(json!([control]))).await, 400, "bad_experiment", "experiment");
    problem(post(admin, path, json!({"experiment": {"name": "rag"}})).await, 400, "malformed", "experiment");
    problem(post(admin, path, json!({"experiment": "rag"})).await, 400, "malformed", "experiment");
    let mut taken = body(arms);
    (taken["experiment"]["name"], taken["experiment"]["salt"]) = (json!("new"), json!("n"));
    problem(post(admin, path, &taken).await, 409, "experiment_conflict", "experiment");
    problem(
        post(admin, &format!("{path}:end"), json!({"experiment": "x"})).await,
        404,
        "unknown_experiment",
        "experiment",
    );
    let ended = post(admin, &format!("{path}:end"), json!({"experiment": "rag", "who": "eve"})).await.json();
    assert_eq!((&ended["seq"], &ended["settings"]), (&json!(2), &change["settings"]));
    assert_eq!(get(admin, &format!("{path}?limit=1")).await.json()["changes"], json!([ended]));
    assert_eq!(get(admin, &format!("{path}?before=2")).await.json()["changes"], json!([change]));
    assert_eq!(count(&dealt(&served).await, "", ""), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_config_declares_no_call_touches() {
    let mut json = json!({"name": "fixed", "salt": "f", "channel": "main"});
    json["arms"] = json!([
        {"name": "control", "weight": 0.5, "channel": "main"}, {"name": "fresh", "weight": 0.5, "channel": "candidate"},
    ]);
    let configured: segue::experiment::Config = serde_json::from_value(json).unwrap();
    let served = start_experiments(segue::experiment::Experiments::new(&[configured]).unwrap()).await;
    publish_on(&served.store, "candidate", add(&served.store, 8));
    let mut admin = served.operations().await;
    admin.reload(ReloadRequest::default()).await.unwrap();
    let before = dealt(&served).await;
    refused(&admin.end_experiment(end("fixed")).await.unwrap_err(), Code::FailedPrecondition, "CONFIGURED_EXPERIMENT");
    let own = set(experiment("fixed", "candidate"));
    refused(&admin.set_experiment(own).await.unwrap_err(), Code::FailedPrecondition, "CONFIGURED_EXPERIMENT");
    let beside = admin.set_experiment(set(experiment("rag", "main"))).await.unwrap_err();
    assert!(beside.message().contains("declared by [[experiments]] of the config"), "{beside}");
    refused(&beside, Code::FailedPrecondition, "EXPERIMENT_CONFLICT");

    // Another server, without that config, lets one run on the channel: here it is refused, told and counted.
    let elsewhere = segue::experiment::Declared::new(Default::default(), served.store.clone());
    let rag: segue::experiment::Config = serde_json::from_value(json!({
        "name": "rag", "salt": "r", "channel": "main",
        "arms": [{"name": "a", "weight": 0.5, "channel": "main"}, {"name": "b", "weight": 0.5, "channel": "main"}],
    }))
    .unwrap();
    elsewhere.set(&rag, &Note { who: "bob".into(), why: "unaware".into() }).unwrap();
    let refused = admin.reload(ReloadRequest::default()).await.unwrap().into_inner().refused;
    assert!(refused[0].starts_with("experiment rag: ") && refused[0].contains("`fixed` and `rag`"), "{refused:?}");
    served.counted("segue_experiments_refused 1").await;
    assert_eq!(dealt(&served).await, before);
    let listed = admin.list_experiments(ListExperimentsRequest::default()).await.unwrap().into_inner();
    let shown: Vec<_> = listed.experiments.iter().map(|one| (one.name.as_str(), one.source.as_str())).collect();
    assert_eq!(shown, [("fixed", "config"), ("rag", "call")]);
    assert_eq!((listed.experiments[1].phase.as_str(), listed.experiments[1].who.as_str()), ("refused", "bob"));
    admin.end_experiment(end("rag")).await.unwrap();
    served.counted("segue_experiments_refused 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_sets_is_noticed_within_a_second() {
    let served = with_candidate(Config::default()).await;
    let elsewhere = segue::experiment::Declared::new(Default::default(), served.store.clone());
    let note = Note { who: "bob".into(), why: "elsewhere".into() };
    let rag: segue::experiment::Config = serde_json::from_value(json!({
        "name": "rag", "salt": "r",
        "arms": [{"name": "a", "weight": 0.5, "channel": "main"}, {"name": "b", "weight": 0.5, "channel": "main"}],
    }))
    .unwrap();
    let becomes = async |experiment: &str| {
        let began = Instant::now();
        let ask = LookupRequest { unit: "user 0".into(), ..lookup(&[3, 0], 1) };
        while served.lookups().await.lookup(ask.clone()).await.unwrap().into_inner().experiment != experiment {
            assert!(began.elapsed() < Duration::from_secs(3), "no `{experiment}`");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    elsewhere.set(&rag, &note).unwrap();
    becomes("rag").await;
    elsewhere.end("rag", &note).unwrap();
    becomes("").await;

    // A store that cannot be read changes nothing, and is told.
    elsewhere.set(&rag, &note).unwrap();
    becomes("rag").await;
    std::fs::write(served.store.path().join("experiments/4.json"), b"{").unwrap();
    let refused = served.operations().await.reload(ReloadRequest::default()).await.unwrap().into_inner().refused;
    assert!(refused[0].contains("experiments/4.json is damaged"), "{refused:?}");
    assert_eq!(dealt(&served).await[0].0, "rag");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_from_one_set_however_often_it_is_exchanged() {
    let served = with_candidate(Config::default()).await;
    let mut admin = served.operations().await;
    let toggling = tokio::spawn(async move {
        for _ in 0..40 {
            admin.set_experiment(set(experiment("rag", "main"))).await.unwrap();
            admin.end_experiment(end("rag")).await.unwrap();
        }
    });
    let mut client = served.lookups().await;
    let ask = |unit: usize| LookupRequest { unit: format!("user {unit}"), ..lookup(&[3, 0], 1) };
    let lookups: Vec<_> = (0..500).map(ask).collect();
    let mut seen = BTreeSet::new();
    while !toggling.is_finished() {
        let batch = BatchLookupRequest { lookups: lookups.clone() };
        let answers = client.batch_lookup(batch).await.unwrap().into_inner().results;
        seen.insert(answers.iter().filter(|answer| !answer.arm.is_empty()).count());
    }
    toggling.await.unwrap();
    assert_eq!(seen, [0, 500].into(), "all units, or none");
}
