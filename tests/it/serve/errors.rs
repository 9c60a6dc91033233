//! What is refused, with its code and details, in both protocols.

use segue::proto::{BatchLookupRequest, LookupRequest};
use segue::serve::Config;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::harness::*;

fn small() -> Config {
    let json = json!({"max_batch": 8, "max_message": "64KiB"});
    serde_json::from_value(json).unwrap()
}

/// The code, `ErrorInfo.reason`, and the field that `BadRequest` names.
fn told(status: &Status) -> (Code, String, String) {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let field = details.bad_request().map(|bad| bad.field_violations[0].field.clone()).unwrap_or_default();
    (status.code(), reason, field)
}

fn check(status: Status, code: Code, reason: &str, field: &str) {
    assert_eq!(told(&status), (code, reason.to_owned(), field.to_owned()), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_lookups_that_make_no_sense() {
    let served = start_with(small(), None, true).await;
    let mut client = served.lookups().await;
    let exclude = LookupRequest { exclude: vec![1; 10_000], ..Default::default() };
    let channel = LookupRequest { channel: "mian".into(), ..Default::default() };
    for (request, code, reason, field) in [
        (lookup(&[3, 0], WIDTH + 1), Code::InvalidArgument, "LIMIT_TOO_HIGH", "limit"),
        (lookup(&[3, 0], u32::MAX), Code::InvalidArgument, "LIMIT_TOO_HIGH", "limit"),
        (lookup(&[3; 10_000], 1), Code::InvalidArgument, "LIST_TOO_LONG", "history"),
        (exclude, Code::InvalidArgument, "LIST_TOO_LONG", "exclude"),
        (channel, Code::NotFound, "UNKNOWN_CHANNEL", ""),
    ] {
        let batch = BatchLookupRequest { lookups: vec![lookup(&[], 1), lookup(&[], 1), request.clone()] };
        let status = client.lookup(request).await.unwrap_err();
        if code == Code::NotFound {
            assert_eq!(status.message(), "there is no channel `mian`; there are: main");
        }
        check(status, code, reason, field);
        let field = if field.is_empty() { String::new() } else { format!("lookups[2].{field}") };
        check(client.batch_lookup(batch).await.unwrap_err(), code, reason, &field);
    }
    // What a caller sent is told no longer than callers take headers.
    let wordy = LookupRequest { channel: "\u{e9}".repeat(10_000), ..Default::default() };
    let status = client.lookup(wordy).await.unwrap_err();
    assert!(status.code() == Code::NotFound && status.message().ends_with(" ..."), "{status}");
    let long = BatchLookupRequest { lookups: vec![lookup(&[], 1); 9] };
    check(client.batch_lookup(long).await.unwrap_err(), Code::InvalidArgument, "BATCH_TOO_LONG", "lookups");
    served.counted(r#"segue_invalid_requests_total{reason="limit_too_high"} 4"#).await;
    served.counted(r#"segue_invalid_requests_total{reason="unknown_channel"} 3"#).await;
    served.counted(r#"segue_invalid_requests_total{reason="batch_too_long"} 1"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_exhausts_it() {
    let served = start_with(small(), None, true).await;
    let mut client = served.lookups().await;
    let huge = lookup(&[u32::MAX; 20_000], 1);
    check(client.lookup(huge.clone()).await.unwrap_err(), Code::ResourceExhausted, "TOO_LARGE", "");
    let mut answers = client.stream_lookup(tokio_stream::once(huge)).await.unwrap().into_inner();
    check(answers.message().await.unwrap_err(), Code::ResourceExhausted, "TOO_LARGE", "");
    let body = json!({"history": vec![u32::MAX; 20_000]});
    problem(post(served.http, "/v1/lookup", body).await, 413, "too_large", "");
    served.counted(r#"segue_invalid_requests_total{reason="too_large"} 3"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_table_nothing_can_be_asked() {
    let served = start_with(Config::default(), None, false).await;
    let status = served.lookups().await.lookup(lookup(&[], 1)).await.unwrap_err();
    assert!(status.get_error_details().retry_info().is_some(), "{status}");
    check(status, Code::Unavailable, "NO_TABLE", "");
    let answer = post(served.http, "/v1/lookup", "{}").await;
    assert_eq!(answer.header("retry-after"), "1");
    problem(answer, 503, "no_table", "");
    problem(get(served.http, "/readyz").await, 503, "no_table", "");
    problem(get(served.http, "/v1/clusters").await, 503, "no_table", "");
}

/// Checks problem details as RFC 9457 has them.
pub(super) fn problem(answer: Answer, status: u16, kind: &str, field: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
    let json = answer.json();
    assert_eq!(json["type"], format!("urn:segue:problem:{kind}"), "{json}");
    assert_eq!(json["status"], status, "{json}");
    assert!(json["title"].is_string() && json["detail"].is_string(), "{json}");
    assert_eq!(json["field"].as_str().unwrap_or_default(), field, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_lookups_that_make_no_sense() {
    let served = start_with(small(), None, true).await;
    for (body, status, kind, field) in [
        (json!({"history": [3, 0], "limit": 5}), 400, "limit_too_high", "limit"),
        (json!({"history": vec![1; 10_000]}), 400, "list_too_long", "history"),
        (json!({"exclude": vec![1; 10_000]}), 400, "list_too_long", "exclude"),
        (json!({"channel": "mian"}), 404, "unknown_channel", "channel"),
        (json!({"history": [1, -1]}), 400, "malformed", "history[1]"),
        (json!({"history": [1, 1.5]}), 400, "malformed", "history[1]"),
        (json!({"history": [4294967296u64]}), 400, "malformed", "history[0]"),
        (json!({"history": "3,0"}), 400, "malformed", "history"),
        (json!({"limit": null}), 400, "malformed", "limit"),
        (json!({"hystory": [1]}), 400, "malformed", "hystory"),
    ] {
        problem(post(served.http, "/v1/lookup", &body).await, status, kind, field);
        let batch = json!({"lookups": [{}, body]});
        let field = format!("lookups[1].{field}");
        problem(post(served.http, "/v1/lookup:batch", batch).await, status, kind, &field);
    }
    let long = json!({"lookups": vec![json!({}); 9]});
    problem(post(served.http, "/v1/lookup:batch", long).await, 400, "batch_too_long", "lookups");
    for (broken, field) in [("", ""), ("{", ""), (r#"{"history": [3, 0}"#, "history"), ("{} {}", ""), ("null", "")] {
        problem(post(served.http, "/v1/lookup", broken).await, 400, "malformed", field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_calls_to_nowhere() {
    let served = start().await;
    problem(get(served.http, "/v2/lookup").await, 404, "no_route", "");
    problem(post(served.http, "/v1/lookup:bulk", "{}").await, 404, "no_route", "");
    problem(get(served.http, "/admin/v1/versions").await, 404, "no_route", "");
    let answer = get(served.http, "/v1/lookup").await;
    assert_eq!(answer.header("allow"), "POST");
    problem(answer, 405, "no_method", "");
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let answer = send("POST", served.http, "/v1/lookup", &[("content-type", content_type)], "{}").await;
        problem(answer, 415, "content_type", "");
    }
    let typed = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(send("POST", served.http, "/v1/lookup", &typed, "{}").await.status, 200);
    problem(get(served.http, "/v1/clusters?chanel=main").await, 400, "malformed", "");
    served.counted(r#"segue_requests_total{api="http",method="other",code="404"} 3"#).await;
    served.counted(r#"segue_requests_total{api="http",method="/v1/lookup",code="405"} 1"#).await;
    served.counted(r#"segue_invalid_requests_total{reason="content_type"} 3"#).await;
}
