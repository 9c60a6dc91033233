//! The back end `openai` against a server that follows the API.

use std::time::{Duration, Instant};

use segue::inference::Usage;
use segue::inference::openai::{Chat, Config};
use serde_json::json;

use super::endpoint::{Behaviour, Endpoint, Trouble};
use super::{ask, free, questions, text, vocabulary};

fn config(endpoint: &Endpoint) -> Config {
    Config { url: endpoint.url.clone(), model: "m".into(), key_env: "CARGO_PKG_NAME".into(), ..Config::default() }
}

fn chat(config: &Config) -> Chat {
    Chat::new(config, &vocabulary()).unwrap()
}

fn troubled(troubles: Vec<Trouble>) -> Endpoint {
    Endpoint::start(Behaviour { troubles, ..Behaviour::default() })
}

#[tokio::test]
async fn every_question_is_answered_once_with_the_key_of_the_environment() {
    let endpoint = Endpoint::start(Behaviour { pause: Duration::from_millis(20), ..Behaviour::default() });
    let texts: Vec<String> = (0..40).map(|number| format!("keyword {number}")).collect();
    let config = Config { concurrency: 4, ..config(&endpoint) };
    let answers = ask(&chat(&config), questions(texts.iter().map(String::as_str))).await;
    assert_eq!(answers.iter().map(text).collect::<Vec<_>>(), texts);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().usage == Usage { prompt: 15, shared: 5, answer: 3 }));
    assert_eq!((endpoint.questions().len(), endpoint.most_under_way()), (40, 4));
    // The variable that stands in for a secret here is one that every test has.
    assert_eq!(endpoint.keys().into_iter().collect::<Vec<_>>(), ["Bearer segue"]);
}

#[tokio::test]
async fn samples_and_probabilities_are_asked_for_where_they_are_wanted() {
    let endpoint = troubled(vec![]);
    let mut asked = questions(["keyword 1"]);
    asked[0].decoding = free(3);
    let answers = ask(&chat(&Config { logprobs: true, ..config(&endpoint) }), asked).await;
    let candidates = &answers[0].as_ref().unwrap().candidates;
    assert_eq!(candidates.len(), 3);
    assert!(candidates.iter().all(|candidate| candidate.probability == Some((-0.5f64).exp())));
    assert_eq!((&endpoint.questions()[0]["n"], &endpoint.questions()[0]["logprobs"]), (&json!(3), &json!(true)));
}

#[tokio::test]
async fn what_fails_for_the_moment_is_asked_again_after_the_wait_that_the_server_names() {
    let endpoint = troubled(vec![
        Trouble::Refused(429, Some("1"), "rate_limit_exceeded"),
        Trouble::Refused(500, Some("0"), "server_error"),
        Trouble::Refused(503, Some("0"), "overloaded"),
    ]);
    let began = Instant::now();
    let answers = ask(&chat(&config(&endpoint)), questions(["keyword 1"])).await;
    assert_eq!(text(&answers[0]), "keyword 1");
    assert!(began.elapsed() >= Duration::from_secs(1), "Retry-After: 1");
    assert_eq!(endpoint.questions().len(), 4);
}

#[tokio::test]
async fn a_pause_that_one_request_is_told_holds_for_all() {
    let endpoint = troubled(vec![Trouble::Refused(429, Some("1"), "rate_limit_exceeded")]);
    let config = Config { concurrency: 1, ..config(&endpoint) };
    let model = chat(&config);
    let answers = ask(&model, questions(["keyword 1", "keyword 2", "keyword 3"])).await;
    assert_eq!(answers.iter().map(text).collect::<Vec<_>>(), ["keyword 1", "keyword 2", "keyword 3"]);
}

#[tokio::test]
async fn silence_is_given_up_after_the_timeout_and_tried_again() {
    let endpoint = troubled(vec![Trouble::Silence(Duration::from_secs(30))]);
    let config = Config { timeout: Duration::from_millis(200), ..config(&endpoint) };
    let answers = ask(&chat(&config), questions(["keyword 1"])).await;
    assert_eq!((text(&answers[0]), endpoint.questions().len()), ("keyword 1", 2));
}

#[tokio::test]
async fn one_question_fails_alone() {
    let endpoint = troubled(vec![
        Trouble::Refused(400, None, "context_length_exceeded"),
        Trouble::Garbage("{\"choices\": []}"),
        Trouble::Garbage("<html>"),
    ]);
    let config = Config { concurrency: 1, ..config(&endpoint) };
    let answers = ask(&chat(&config), questions(["a", "b", "c", "keyword 4"])).await;
    let failed: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(failed.iter().map(|error| error.question).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    for (error, part) in failed.iter().zip(["answered 400", "no choices", "no chat completion"]) {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(text(&answers[3]), "keyword 4");
}

#[tokio::test]
async fn what_no_question_can_pass_stops_all_and_says_what_to_do() {
    for (trouble, parts) in [
        (Trouble::Refused(401, None, "invalid_api_key"), ["401", "valid API key into CARGO_PKG_NAME"]),
        (Trouble::Refused(404, None, "model_not_found"), ["404", "inference.openai.model"]),
        (Trouble::Refused(429, Some("0"), "insufficient_quota"), ["429", "refused"]),
        (Trouble::Refused(429, Some("90000"), "rate_limit_exceeded"), ["1day 1h", "run again then"]),
    ] {
        let endpoint = troubled(vec![trouble]);
        let config = Config { concurrency: 1, ..config(&endpoint) };
        let answers = ask(&chat(&config), questions(["a"])).await;
        let error = answers[0].as_ref().unwrap_err();
        let told = error.to_string();
        assert!(error.question.is_none() && parts.iter().all(|part| told.contains(part)), "{told}");
        assert!(!told.contains("Bearer segue") && told.contains("Bearer ***"), "the key is not told: {told}");
        assert_eq!(endpoint.questions().len(), 1, "it is not tried again");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_stops_all() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let config = Config { url, model: "m".into(), retries: 1, ..Config::default() };
    let answers = ask(&chat(&config), questions(["a"])).await;
    let error = answers[0].as_ref().unwrap_err();
    assert!(error.question.is_none() && error.to_string().contains("is it running there?"), "{error}");
}

#[test]
fn a_config_that_cannot_be_asked_is_refused() {
    let fine = Config { model: "m".into(), ..Config::default() };
    for (config, part) in [
        (Config { model: String::new(), ..fine.clone() }, "model is empty"),
        (Config { url: "ftp://x/v1".into(), ..fine.clone() }, "no http or https address"),
        (Config { url: "https://me:secret@x/v1".into(), ..fine.clone() }, "holds credentials"),
        (Config { concurrency: 0, ..fine.clone() }, "concurrency must be 1"),
        (Config { requests_per_minute: Some(0), ..fine.clone() }, "would never ask"),
        (Config { batch_requests: 50_001, ..fine }, "batch_requests"),
    ] {
        let error = Chat::new(&config, &vocabulary()).err().unwrap();
        assert!(error.contains(part) && !error.contains("secret"), "{error}");
    }
}
