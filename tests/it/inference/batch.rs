//! The back end `openai-batch` against a server that follows the API.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use segue::inference::Model;
use segue::inference::openai::{Batches, Config};

use super::endpoint::{Behaviour, Endpoint, Trouble};
use super::{ask, questions, text, vocabulary};

fn batches(endpoint: &Endpoint, state: &Path) -> Batches {
    let (url, batch_poll) = (endpoint.url.clone(), Duration::from_millis(10));
    let config = Config { url, model: "m".into(), batch_requests: 3, batch_poll, ..Config::default() };
    Batches::new(&config, &vocabulary(), state).unwrap()
}

const TEXTS: [&str; 7] = ["zero", "one", "two", "three", "four", "five", "six"];

#[tokio::test]
async fn questions_go_out_in_files_and_come_back_by_their_custom_ids() {
    let (endpoint, dir) = (Endpoint::start(Behaviour::default()), tempfile::tempdir().unwrap());
    let answers = ask(&batches(&endpoint, dir.path()), questions(TEXTS)).await;
    assert_eq!(answers.iter().map(text).collect::<Vec<_>>(), TEXTS);
    assert_eq!((endpoint.batches(), endpoint.questions().len()), (3, 7), "3 + 3 + 1");
}

#[tokio::test]
async fn a_line_that_failed_fails_alone() {
    let endpoint = Endpoint::start(Behaviour { bad: "two", ..Behaviour::default() });
    let dir = tempfile::tempdir().unwrap();
    let answers = ask(&batches(&endpoint, dir.path()), questions(TEXTS)).await;
    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!((failed.len(), failed[0].question), (1, Some(2)));
    assert!(failed[0].to_string().contains("answered with 400"), "{}", failed[0]);
    assert_eq!(answers.len(), 7);
}

#[tokio::test]
async fn trouble_on_the_way_is_gone_through() {
    let endpoint = Endpoint::start(Behaviour {
        troubles: vec![
            Trouble::Refused(429, Some("0"), "rate_limit_exceeded"),
            Trouble::Refused(500, Some("0"), "server_error"),
        ],
        ..Behaviour::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let answers = ask(&batches(&endpoint, dir.path()), questions(["one"])).await;
    assert_eq!(answers.iter().map(text).collect::<Vec<_>>(), ["one"]);
}

#[tokio::test]
async fn what_an_ended_run_has_sent_is_fetched_and_not_sent_again() {
    // The first run never sees an end.
    let endpoint = Endpoint::start(Behaviour { looks: 200, ..Behaviour::default() });
    let dir = tempfile::tempdir().unwrap();
    let stream = batches(&endpoint, dir.path()).ask(futures::stream::iter(questions(TEXTS)).boxed());
    while endpoint.batches() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);

    let mut asked = questions(TEXTS);
    asked.push(questions(["seven"]).remove(0));
    asked[7].id = 7;
    let answers = ask(&batches(&endpoint, dir.path()), asked).await;
    assert_eq!(answers.iter().map(text).collect::<Vec<_>>(), [TEXTS.as_slice(), &["seven"]].concat());
    assert_eq!((endpoint.batches(), endpoint.questions().len()), (4, 8), "only the new question was sent");
}

#[tokio::test]
async fn a_batch_that_failed_as_a_whole_says_why_and_is_not_waited_for_again() {
    let endpoint = Endpoint::start(Behaviour { looks: 20, ..Behaviour::default() });
    let dir = tempfile::tempdir().unwrap();
    let mut stream = batches(&endpoint, dir.path()).ask(futures::stream::iter(questions(["one"])).boxed());
    while endpoint.batches() < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    endpoint.fail_batches("Enqueued token limit reached");
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(error.question.is_none() && error.to_string().contains("Enqueued token limit reached"), "{error}");
    let answers = ask(&batches(&endpoint, dir.path()), questions(["one"])).await;
    assert_eq!((text(&answers[0]), endpoint.batches()), ("one", 2));
}

#[tokio::test]
async fn a_batch_that_is_gone_is_asked_again() {
    let (endpoint, dir) = (Endpoint::start(Behaviour::default()), tempfile::tempdir().unwrap());
    std::fs::write(dir.path().join("batches.json"), r#"["batch_of_another_account"]"#).unwrap();
    let answers = ask(&batches(&endpoint, dir.path()), questions(["one"])).await;
    assert_eq!(text(&answers[0]), "one");
}
