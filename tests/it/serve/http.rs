//! Lookups as JSON, metrics, and the description of the API.

use serde_json::{Value, json};

use super::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_answered_as_json() {
    let served = start().await;
    let answer = post(served.http, "/v1/lookup", json!({"history": [3, 0], "limit": 3, "unit": "user 1"})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let expected = json!({
        "predictions": [
            {"cluster": 25, "score": 1.0, "source": "llm", "level": 2},
            {"cluster": 10, "score": 16384.0f32 / 65535.0, "source": "retrieved", "level": 2},
            {"cluster": 7, "score": 32768.0f32 / 65535.0, "source": "retrieved", "level": 1},
        ],
        "version": 1, "matched": 2, "experiment": "", "arm": "",
    });
    assert_json_close(&answer.json(), &expected);
    let batch = json!({"lookups": [{"history": [3, 0]}, {"limit": 2, "exclude": [3]}]});
    let answer = post(served.http, "/v1/lookup:batch", batch).await.json();
    assert_eq!(answer["results"][0]["predictions"][0]["cluster"], 25);
    assert_eq!(
        answer["results"][1]["predictions"][0],
        json!({
            "cluster": 0, "score": answer["results"][1]["predictions"][0]["score"], "source": "popular", "level": 0,
        })
    );
    assert_eq!(answer["results"].as_array().unwrap().len(), 2);
}

/// Scores are 32-bit on the wire, and JSON here reads them as 64-bit.
fn assert_json_close(found: &Value, expected: &Value) {
    let mut found = found.clone();
    for (found, expected) in
        found["predictions"].as_array_mut().unwrap().iter_mut().zip(expected["predictions"].as_array().unwrap())
    {
        let (a, b) = (found["score"].as_f64().unwrap(), expected["score"].as_f64().unwrap());
        assert!((a - b).abs() < 1e-6, "{a} {b}");
        found["score"] = expected["score"].clone();
    }
    assert_eq!(&found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_are_listed_with_their_taxonomy() {
    let served = start().await;
    let listed = get(served.http, "/v1/clusters?channel=main").await.json();
    assert_eq!(listed["version"], 1);
    let manifest = served.store.manifest(segue::ids::VersionId(1)).unwrap();
    assert_eq!(listed["taxonomy_hash"], manifest.taxonomy_hash.to_string());
    assert_eq!(listed["clusters"].as_array().unwrap().len(), POPULAR.len());
    assert_eq!(listed["clusters"][0], json!({"id": 0, "description": "interest 0"}));
    assert_eq!(get(served.http, "/v1/clusters").await.json(), listed);
    assert_eq!(get(served.http, "/v1/clusters?channel=none").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_show_what_was_counted() {
    let served = start().await;
    let lookups = json!({"lookups": [
        {"history": [3, 0], "limit": 4}, {"history": [25, 0]}, {"history": [98, 99]}, {"history": []},
    ]});
    assert_eq!(post(served.http, "/v1/lookup:batch", &lookups).await.status, 200);
    assert_eq!(post(served.http, "/v1/lookup:batch", &lookups).await.status, 200);
    served.lookups().await.lookup(lookup(&[3, 0], 1)).await.unwrap();
    for line in [
        r#"segue_requests_total{api="http",method="/v1/lookup:batch",code="200"} 2"#,
        r#"segue_requests_total{api="grpc",method="segue.v1.LookupService/Lookup",code="OK"} 1"#,
        r#"segue_request_duration_seconds_count{api="http",method="/v1/lookup:batch"} 2"#,
        r#"segue_request_duration_seconds_bucket{api="http",method="/v1/lookup:batch",le="10"} 2"#,
        r#"segue_lookups_total{level="2"} 3"#,
        r#"segue_lookups_total{level="1"} 2"#,
        r#"segue_lookups_total{level="0"} 4"#,
        r#"segue_predictions_total{source="llm"} 3"#,
        r#"segue_predictions_total{source="retrieved"} 6"#,
        r#"segue_predictions_total{source="popular"} 6"#,
        "segue_unknown_clusters_total 4",
        "segue_shed_total 0",
        r#"segue_in_flight_requests{api="grpc"} 0"#,
        // The one that asks.
        r#"segue_in_flight_requests{api="http"} 1"#,
        "# TYPE segue_request_duration_seconds histogram",
    ] {
        served.counted(line).await;
    }
    let text = served.metrics().await;
    assert!(text.contains("segue_build_info{version="), "{text}");
    let described = text.lines().filter(|line| line.starts_with("# HELP segue_")).count();
    let typed = text.lines().filter(|line| line.starts_with("# TYPE segue_")).count();
    assert_eq!(described, typed, "every metric has its help\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_of_what_is_served() {
    let served = start().await;
    let document = get(served.http, "/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{document}");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let port = if path.starts_with("/admin/") { served.admin } else { served.http };
            let path = path.replace("{version}", "1").replace("{name}", "main");
            let answer = match example(&document, operation) {
                Some(body) => post(port, &path, body).await,
                None => send(&method.to_uppercase(), port, &path, &[], "").await,
            };
            let known =
                operation["responses"].as_object().unwrap().keys().any(|status| *status == answer.status.to_string());
            assert!(known, "{method} {path} answers {answer:?}, which is not described");
            assert!(answer.status != 405 && answer.json_kind() != "no_route", "{method} {path}: {answer:?}");
        }
    }
}

/// The example of an operation's request body.
fn example(document: &Value, operation: &Value) -> Option<Value> {
    let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()?;
    let name = schema.rsplit('/').next().unwrap();
    let example = &document["components"]["schemas"][name]["example"];
    assert!(example.is_object(), "{name} has no example");
    Some(example.clone())
}

impl Answer {
    fn json_kind(&self) -> String {
        let json: Value = serde_json::from_str(&self.text).unwrap_or_default();
        json["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned()
    }
}
