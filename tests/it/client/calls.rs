//! What is asked of our own server.

use std::time::{Duration, Instant};

use segue::client::{Client, Config, Error};
use segue::proto::LookupRequest;
use tokio::task::JoinSet;
use tonic::Code;

use super::line::Line;
use crate::serve::harness::{Served, WIDTH, clusters, lookup, start, start_with};

fn config(served: &Served) -> Config {
    Config { target: format!("http://{}", served.grpc), timeout: Duration::from_secs(20), ..Config::default() }
}

/// Questions with one or two answers, in turn.
fn questions(count: usize) -> Vec<LookupRequest> {
    (0..count).map(|at| lookup(&[3, 0], 1 + at as u32 % 2)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_share_their_connections() {
    let served = start().await;
    for connections in [1, 3] {
        let line = Line::to(served.grpc).await;
        let config =
            Config { target: line.target.clone(), connections: connections.try_into().unwrap(), ..config(&served) };
        let client = Client::new(&config).unwrap();
        let mut calls = JoinSet::new();
        for _ in 0..200 {
            let client = client.clone();
            calls.spawn(async move { client.lookup(lookup(&[3, 0], 1)).await.unwrap() });
        }
        assert!(calls.join_all().await.iter().all(|answer| clusters(answer) == [25]));
        assert_eq!(line.connections(), connections);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_questions_is_answered_in_order() {
    let served = start().await;
    for connections in [1, 3] {
        let config = Config {
            max_batch: 64.try_into().unwrap(),
            connections: connections.try_into().unwrap(),
            ..config(&served)
        };
        let client = Client::new(&config).unwrap();
        assert!(client.lookup_all([]).await.unwrap().is_empty());
        let answers = client.lookup_all(questions(1000)).await.unwrap();
        let lens: Vec<_> = answers.iter().map(|answer| answer.predictions.len()).collect();
        assert_eq!(lens, (0..1000).map(|at| 1 + at % 2).collect::<Vec<_>>());
    }
    let method = r#"segue_requests_total{api="grpc",method="segue.v1.LookupService/BatchLookup",code="OK"}"#;
    served.counted(&format!("{method} 32")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_answers_at_its_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segue.sock");
    let served =
        start_with(segue::serve::Config { grpc_socket: Some(path.clone()), ..Default::default() }, None, true).await;
    let target = format!("unix:{}", path.display());
    let client = Client::new(&Config { target, ..config(&served) }).unwrap();
    assert_eq!(clusters(&client.lookup(lookup(&[3, 0], 1)).await.unwrap()), [25]);
    assert_eq!(client.lookup_all(questions(1000)).await.unwrap().len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_the_question() {
    let served = start().await;
    let client = Client::new(&Config { max_batch: 64.try_into().unwrap(), ..config(&served) }).unwrap();
    let wide = lookup(&[3, 0], WIDTH + 1);
    let strange = LookupRequest { channel: "mian".into(), ..lookup(&[3, 0], 1) };
    for (place, question, code) in
        [(0, &wide, Code::InvalidArgument), (515, &wide, Code::InvalidArgument), (999, &strange, Code::NotFound)]
    {
        let mut questions = questions(1000);
        questions[place] = question.clone();
        let error = client.lookup_all(questions).await.unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("question {place}: the server refused with {code:?}: ")),
            "{error}"
        );
        let Error::InBatch { questions, error } = error else { panic!("{error}") };
        assert_eq!(questions, place..place + 1);
        assert!(matches!(*error, Error::Refused { status } if status.code() == code));
    }
    let error = client.lookup(wide).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server refused with InvalidArgument: limit is 5, the table's rows are 4 wide: ask for at most 4"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_cut_costs_no_answer() {
    let served = start().await;
    let line = Line::to(served.grpc).await;
    let config = Config { target: line.target.clone(), backoff: Duration::from_millis(1), ..config(&served) };
    let client = Client::new(&Config { attempts: 100.try_into().unwrap(), ..config }).unwrap();
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let client = client.clone();
        calls.spawn(async move {
            let mut answered = 0;
            while began.elapsed() < Duration::from_millis(500) {
                assert_eq!(clusters(&client.lookup(lookup(&[3, 0], 1)).await.unwrap()), [25]);
                assert_eq!(client.lookup_all(questions(50)).await.unwrap().len(), 50);
                answered += 1;
            }
            answered
        });
    }
    while began.elapsed() < Duration::from_millis(500) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        line.cut();
    }
    assert!(calls.join_all().await.iter().all(|answered| *answered > 0));
    assert!(line.connections() > 5, "{}", line.connections());
}
