//! Lookups of units, over every door.

use segue::experiment::{Config, Experiments};
use segue::proto::{BatchLookupRequest, LookupRequest};
use serde_json::json;
use tokio_stream::StreamExt;

use super::harness::*;

fn experiments() -> Experiments {
    let config: Config = serde_json::from_value(json!({
        "name": "rag", "salt": "2026-rag", "traffic": 0.8,
        "arms": [
            {"name": "control", "weight": 0.5, "channel": "main"},
            {"name": "fresh", "weight": 0.3, "channel": "candidate"},
            {"name": "absent", "weight": 0.2, "channel": "nowhere"},
        ],
    }))
    .unwrap();
    Experiments::new(&[config]).unwrap()
}

fn asked(unit: &str) -> LookupRequest {
    LookupRequest { unit: unit.into(), ..lookup(&[3, 0], 1) }
}

/// The arm that is told, and the first prediction: `main` says 25, `candidate` 8. An arm without a table is not told.
fn expected(experiments: &Experiments, unit: &str) -> (String, String, Vec<u32>) {
    match experiments.assign("main", unit, 0).filter(|assigned| assigned.arm != "absent") {
        Some(assigned) => ("rag".into(), assigned.arm.into(), vec![if assigned.arm == "fresh" { 8 } else { 25 }]),
        None => (String::new(), String::new(), vec![25]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_answered_from_its_arms_channel_whatever_the_door() {
    let experiments = experiments();
    let served = start_experiments(experiments.clone()).await;
    publish_on(&served.store, "candidate", add(&served.store, 8));
    served.operations().await.reload(segue::proto::ReloadRequest::default()).await.unwrap();
    let units: Vec<String> =
        (0..60).map(|unit| if unit == 7 { String::new() } else { format!("user {unit}") }).collect();
    let mut client = served.lookups().await;

    let lookups: Vec<_> = units.iter().map(|unit| asked(unit)).collect();
    let stream = tokio_stream::iter(lookups.clone());
    let mut streamed = client.stream_lookup(stream).await.unwrap().into_inner();
    let batch = client.batch_lookup(BatchLookupRequest { lookups }).await.unwrap().into_inner().results;
    let as_json =
        json!({"lookups": units.iter().map(|unit| json!({"history": [3, 0], "unit": unit})).collect::<Vec<_>>()});
    let as_json = post(served.http, "/v1/lookup:batch", as_json).await.json();
    let mut seen = std::collections::BTreeSet::new();
    for (index, unit) in units.iter().enumerate() {
        let expected = expected(&experiments, unit);
        let one = client.lookup(asked(unit)).await.unwrap().into_inner();
        let next = streamed.next().await.unwrap().unwrap();
        for answer in [&one, &next, &batch[index]] {
            assert_eq!((answer.experiment.clone(), answer.arm.clone(), clusters(answer)), expected, "{unit}");
        }
        let json = &as_json["results"][index];
        assert_eq!((json["experiment"].as_str().unwrap(), json["arm"].as_str().unwrap()), (&*expected.0, &*expected.1));
        assert_eq!(json["predictions"][0]["cluster"], expected.2[0]);
        let single = post(served.http, "/v1/lookup", json!({"history": [3, 0], "unit": unit})).await.json();
        assert_eq!(&single, json);
        seen.insert(expected.1);
    }
    assert_eq!(seen.len(), 3, "both arms and none: {seen:?}");
    let wrong = LookupRequest { limit: WIDTH + 1, ..asked("") };
    let failed = units.iter().map(|unit| asked(unit)).chain([wrong]).collect();
    client.batch_lookup(BatchLookupRequest { lookups: failed }).await.unwrap_err();
    for (series, arm) in [("lookups", "control"), ("lookups", "fresh"), ("unserved", "absent")] {
        let units =
            units.iter().filter(|unit| experiments.assign("main", unit, 0).is_some_and(|found| found.arm == arm));
        // Five doors, each of which asked for every unit; a batch that failed has served nobody.
        let line = format!(r#"segue_experiment_{series}_total{{experiment="rag",arm="{arm}"}} {}"#, 5 * units.count());
        served.counted(&line).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_channel_is_left_alone() {
    let served = start_experiments(experiments()).await;
    publish_on(&served.store, "other", add(&served.store, 8));
    served.operations().await.reload(segue::proto::ReloadRequest::default()).await.unwrap();
    for unit in 0..20 {
        let asked = LookupRequest { channel: "other".into(), ..asked(&format!("user {unit}")) };
        let answer = served.lookups().await.lookup(asked).await.unwrap().into_inner();
        assert_eq!((clusters(&answer), answer.arm.as_str()), (vec![8], ""));
    }
}
