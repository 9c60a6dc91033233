//! The back end `openai-batch` against a server that follows the API.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt;
use segue::inference::openai::{Batches, Config};
use segue::inference::{Candidate, Model};

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

    // Whatever the next run asks first, nothing of it is lost, and it is read once more where nobody is known to keep it.
    let model = batches(&endpoint, dir.path());
    for _ in 0..2 {
        let first = model.left_over().next().await.unwrap().unwrap();
        assert_eq!(first.len(), 3);
    }
    let mut said: Vec<String> = left_over(&model).await.into_iter().map(|candidate| candidate.text).collect();
    said.sort();
    let mut texts = TEXTS;
    texts.sort_unstable();
    assert_eq!(said, texts);
    assert!(left_over(&model).await.is_empty(), "all of it was taken");
    assert_eq!((endpoint.batches(), endpoint.questions().len()), (3, 7));
}

async fn left_over(model: &Batches) -> Vec<Candidate> {
    let batches: Vec<_> = model.left_over().collect().await;
    batches.into_iter().flat_map(Result::unwrap).flat_map(|(_, candidates)| candidates).collect()
}

#[tokio::test]
async fn a_batch_whose_answer_got_lost_is_found_and_not_ordered_twice() {
    let endpoint = Endpoint::start(Behaviour { lost_batch: true, ..Behaviour::default() });
    let dir = tempfile::tempdir().unwrap();
    let answers = ask(&batches(&endpoint, dir.path()), questions(["one"])).await;
    assert_eq!((text(&answers[0]), endpoint.batches()), ("one", 1));
    // A kill between the order and its answer leaves the file's note.
    std::fs::write(dir.path().join("batches.json"), r#"[{"file":"file-0"},{"file":"file-nobody-read"}]"#).unwrap();
    let left = left_over(&batches(&endpoint, dir.path())).await;
    assert_eq!((left.len(), left[0].text.as_str()), (1, "one"));
}

#[tokio::test]
async fn a_batch_of_many_errors_fails_its_questions_alone() {
    let endpoint = Endpoint::start(Behaviour { bad: "bad", ..Behaviour::default() });
    let dir = tempfile::tempdir().unwrap();
    let (url, batch_poll) = (endpoint.url.clone(), Duration::from_millis(10));
    let config = Config { url, model: "m".into(), batch_poll, ..Config::default() };
    let model = Batches::new(&config, &vocabulary(), dir.path()).unwrap();
    let texts: Vec<String> = (0..150).map(|n| format!("bad {n}")).chain(["fine".into()]).collect();
    let answers = ask(&model, questions(texts.iter().map(String::as_str))).await;
    let failed = answers.iter().filter(|answer| answer.as_ref().is_err_and(|error| error.question.is_some()));
    assert_eq!((failed.count(), answers.len()), (150, 151));
}

#[tokio::test]
async fn answers_that_are_gone_stop_nothing() {
    let (endpoint, dir) = (Endpoint::start(Behaviour::default()), tempfile::tempdir().unwrap());
    ask(&batches(&endpoint, dir.path()), questions(["one"])).await;
    endpoint.forget_files();
    let model = batches(&endpoint, dir.path());
    assert!(left_over(&model).await.is_empty());
    assert_eq!(text(&ask(&model, questions(["two"])).await[0]), "two");
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
    assert!(left_over(&batches(&endpoint, dir.path())).await.is_empty());
    assert_eq!(std::fs::read_to_string(dir.path().join("batches.json")).unwrap(), "[]");
    let answers = ask(&batches(&endpoint, dir.path()), questions(["one"])).await;
    assert_eq!(text(&answers[0]), "one");
}
