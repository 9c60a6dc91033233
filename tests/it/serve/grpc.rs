//! Lookups as gRPC, health and reflection.

use segue::proto::{BatchLookupRequest, Source};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_answered_from_the_table_down_the_chain() {
    let served = start().await;
    let answer = served.lookups().await.lookup(lookup(&[99, 3, 0], 4)).await.unwrap().into_inner();
    let told = answer.predictions.iter().map(|one| (one.cluster, one.score, one.source(), one.level));
    let quarter = 16384.0 / 65535.0;
    let expected = [
        (25, 1.0, Source::Llm, 2),
        (10, quarter, Source::Retrieved, 2),
        (7, 32768.0 / 65535.0, Source::Retrieved, 1),
        (8, quarter, Source::Popular, 0),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!((answer.version, answer.matched, answer.experiment.as_str()), (1, 2, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_exclusions_and_channels_are_obeyed() {
    let served = start().await;
    let mut client = served.lookups().await;
    let one = client.lookup(lookup(&[3, 0], 0)).await.unwrap().into_inner();
    assert_eq!(clusters(&one), [25]);
    let mut excluding = lookup(&[3, 0], 2);
    excluding.exclude = vec![25, 77];
    excluding.channel = "main".into();
    excluding.unit = "user 1".into();
    assert_eq!(clusters(&client.lookup(excluding).await.unwrap().into_inner()), [10, 7]);
    let strangers = client.lookup(lookup(&[98, 99], 2)).await.unwrap().into_inner();
    assert_eq!((clusters(&strangers), strangers.matched), (vec![3, 0], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_in_order() {
    let served = start().await;
    let mut client = served.lookups().await;
    let lookups = vec![lookup(&[3, 0], 1), lookup(&[], 2), lookup(&[25, 0], 1)];
    let answer = client.batch_lookup(BatchLookupRequest { lookups }).await.unwrap().into_inner();
    let told: Vec<_> = answer.results.iter().map(|one| (clusters(one), one.matched, one.version)).collect();
    assert_eq!(told, [(vec![25], 2, 1), (vec![3, 0], 0, 1), (vec![7], 1, 1)]);
    let empty = client.batch_lookup(BatchLookupRequest::default()).await.unwrap().into_inner();
    assert!(empty.results.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_each_question_from_what_is_live_then() {
    let served = start().await;
    let (questions, asked) = mpsc::channel(4);
    let mut answers = served.lookups().await.stream_lookup(ReceiverStream::new(asked)).await.unwrap().into_inner();
    questions.send(lookup(&[3, 0], 1)).await.unwrap();
    let first = answers.next().await.unwrap().unwrap();
    assert_eq!((clusters(&first), first.version), (vec![25], 1));

    let version = add(&served.store, 8).0;
    let publish = segue::proto::PublishRequest { version, ..Default::default() };
    served.operations().await.publish(publish).await.unwrap();
    questions.send(lookup(&[3, 0], 1)).await.unwrap();
    let second = answers.next().await.unwrap().unwrap();
    assert_eq!((clusters(&second), second.version), (vec![8], 2));

    questions.send(lookup(&[3, 0], WIDTH + 1)).await.unwrap();
    assert_eq!(answers.next().await.unwrap().unwrap_err().code(), Code::InvalidArgument);
    assert!(answers.next().await.is_none(), "an invalid message ends the stream");
    served.counted(r#"segue_invalid_requests_total{reason="limit_too_high"} 1"#).await;
    let ended =
        r#"segue_requests_total{api="grpc",method="segue.v1.LookupService/StreamLookup",code="INVALID_ARGUMENT"} 1"#;
    served.counted(ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_client_has_no_more_questions() {
    let served = start().await;
    let asked = tokio_stream::iter((0..100).map(|_| lookup(&[3, 0], 1)));
    let answers = served.lookups().await.stream_lookup(asked).await.unwrap().into_inner();
    let answers: Vec<_> = answers.collect().await;
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(|answer| clusters(answer.as_ref().unwrap()) == [25]));
    served.counted(r#"segue_lookups_total{level="2"} 100"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_the_first_table() {
    let served = start_with(Default::default(), None, false).await;
    let mut health = HealthClient::new(connect(served.grpc).await);
    let asked = |service: &str| HealthCheckRequest { service: service.into() };
    for service in ["", "segue.v1.LookupService"] {
        let status = health.check(asked(service)).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::NotServing, "{service}");
    }
    assert_eq!(get(served.http, "/readyz").await.status, 503);
    assert_eq!(get(served.http, "/livez").await.status, 200);

    let mut watch = health.watch(asked("segue.v1.LookupService")).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    publish(&served.store, add(&served.store, 25));
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(health.check(asked("")).await.unwrap().into_inner().status(), ServingStatus::Serving);
    assert_eq!(get(served.http, "/readyz").await.status, 200);

    let drained = served.stop();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(watch.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert_eq!(drained.await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_what_each_port_serves() {
    let served = start().await;
    for (port, name) in [(served.grpc, "segue.v1.LookupService"), (served.admin, "segue.v1.AdminService")] {
        let mut client = ServerReflectionClient::new(connect(port).await);
        let message_request = Some(MessageRequest::ListServices(String::new()));
        let asked = tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request });
        let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
        let answer = answers.next().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
        let names: Vec<_> = listed.service.into_iter().map(|service| service.name).collect();
        assert!(names.iter().any(|listed| listed == name), "{names:?}");
        assert!(names.iter().any(|listed| listed == "grpc.health.v1.Health"), "{names:?}");
        assert!(!names.iter().any(|listed| listed == "segue.v1.AdminService" && name != listed), "{names:?}");
    }
}
