//! The JSON of `chat/completions`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::{Config, Constraint};
use crate::inference::model::{Candidate, Decoding, Message, Question, Role, Usage};

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    logprobs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_outputs: Option<Value>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: &'a str,
}

/// The body of one request. `names` are the descriptions of all clusters.
pub(super) fn request(config: &Config, names: &[String], question: &Question) -> Value {
    let mut request = Request {
        model: &config.model,
        messages: question.messages.iter().map(turn).collect(),
        temperature: 0.0,
        n: None,
        seed: None,
        max_completion_tokens: None,
        logprobs: config.logprobs,
        response_format: None,
        structured_outputs: None,
    };
    match (question.decoding, config.constraint) {
        (Decoding::Free { samples, temperature, seed, max_tokens }, _) => {
            // As it was written: 0.7 rather than what an f32 makes of it.
            request.temperature = (f64::from(temperature) * 1e6).round() / 1e6;
            request.n = (samples > 1).then_some(samples);
            request.seed = Some(seed);
            request.max_completion_tokens = Some(max_tokens);
        }
        (Decoding::Constrained { .. }, Constraint::JsonSchema) => request.response_format = Some(schema(names)),
        (Decoding::Constrained { .. }, Constraint::Choice) => {
            request.structured_outputs = Some(json!({ "choice": names }));
        }
    }
    // Strings, numbers and values always make JSON.
    serde_json::to_value(request).unwrap_or_default()
}

fn turn(message: &Message) -> Turn<'_> {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
    };
    Turn { role, content: &message.content }
}

fn schema(names: &[String]) -> Value {
    let object = json!({
        "type": "object",
        "properties": { "cluster": { "type": "string", "enum": names } },
        "required": ["cluster"],
        "additionalProperties": false,
    });
    json!({ "type": "json_schema", "json_schema": { "name": "next_cluster", "strict": true, "schema": object } })
}

#[derive(Deserialize)]
struct Response {
    choices: Vec<Choice>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    message: Said,
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Said {
    /// Null where the model refused.
    content: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Logprob>>,
}

#[derive(Deserialize)]
struct Logprob {
    logprob: f64,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptTokens>,
}

#[derive(Deserialize)]
struct PromptTokens {
    cached_tokens: Option<u64>,
}

/// What one response's body says, in the order of its choices.
pub(super) fn answer(config: &Config, body: &[u8]) -> Result<(Vec<Candidate>, Usage), String> {
    let response: Response =
        serde_json::from_slice(body).map_err(|error| format!("the answer is no chat completion ({error})"))?;
    if response.choices.is_empty() {
        return Err("the answer has no choices".into());
    }
    let mut choices = response.choices;
    choices.sort_by_key(|choice| choice.index);
    let candidates = choices.into_iter().map(|choice| candidate(config.constraint, choice)).collect();
    Ok((candidates, response.usage.map_or_else(Usage::default, usage)))
}

fn candidate(constraint: Constraint, choice: Choice) -> Candidate {
    let text = choice.message.content.unwrap_or_default();
    let tokens = choice.logprobs.and_then(|logprobs| logprobs.content).filter(|tokens| !tokens.is_empty());
    let sum = |tokens: Vec<Logprob>| tokens.iter().map(|token| token.logprob).sum::<f64>();
    Candidate { text: unwrapped(constraint, text), probability: tokens.map(|tokens| sum(tokens).exp()) }
}

/// An answer by the schema is an object; anything else is what the model said.
fn unwrapped(constraint: Constraint, text: String) -> String {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ByTheSchema {
        cluster: String,
    }
    match (constraint, serde_json::from_str::<ByTheSchema>(&text)) {
        (Constraint::JsonSchema, Ok(ByTheSchema { cluster })) => cluster,
        _ => text,
    }
}

fn usage(tokens: Tokens) -> Usage {
    let shared = tokens.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
    let shared = shared.min(tokens.prompt_tokens);
    Usage { prompt: tokens.prompt_tokens - shared, shared, answer: tokens.completion_tokens }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(decoding: Decoding) -> Question {
        let messages = [(Role::System, "Name \"it\"."), (Role::User, "Cluster 1: jazz")];
        let messages = messages.map(|(role, content)| Message { role, content: content.into() });
        Question { id: 3, messages: messages.into(), decoding }
    }

    #[test]
    fn requests_are_what_the_api_says() {
        let config = Config { model: "m".into(), ..Config::default() };
        let names = ["jazz".to_owned(), "go".to_owned()];
        let messages = json!([
            { "role": "system", "content": "Name \"it\"." },
            { "role": "user", "content": "Cluster 1: jazz" },
        ]);
        let free = Decoding::Free { samples: 1, temperature: 0.0, seed: 7, max_tokens: 64 };
        let plain = json!({
            "model": "m", "messages": messages, "temperature": 0.0, "seed": 7, "max_completion_tokens": 64,
        });
        assert_eq!(request(&config, &names, &question(free)), plain);
        let many = Decoding::Free { samples: 3, temperature: 0.5, seed: 0, max_tokens: 8 };
        let told = request(&Config { logprobs: true, ..config.clone() }, &names, &question(many));
        assert_eq!((&told["n"], &told["temperature"], &told["logprobs"]), (&json!(3), &json!(0.5), &json!(true)));
        let told = request(&config, &names, &question(Decoding::Constrained { best: 3 }));
        let schema = &told["response_format"]["json_schema"];
        assert_eq!((&schema["strict"], &told["max_completion_tokens"]), (&json!(true), &Value::Null));
        assert_eq!(schema["schema"]["properties"]["cluster"]["enum"], json!(names));
        let choice = Config { constraint: Constraint::Choice, ..config };
        let told = request(&choice, &names, &question(Decoding::Constrained { best: 1 }));
        assert_eq!(
            (&told["structured_outputs"], &told["response_format"]),
            (&json!({ "choice": names }), &Value::Null)
        );
    }

    fn read(body: Value) -> Result<(Vec<Candidate>, Usage), String> {
        answer(&Config::default(), body.to_string().as_bytes())
    }

    #[test]
    fn answers_are_read_in_the_order_of_their_index_and_with_what_is_told() {
        let body = json!({
            "choices": [
                { "index": 1, "message": { "role": "assistant", "content": null, "refusal": "no" } },
                {
                    "index": 0,
                    "message": { "role": "assistant", "content": " jazz\n" },
                    "logprobs": { "content": [{ "token": "ja", "logprob": -0.5 }, { "token": "zz", "logprob": -0.25 }] },
                },
            ],
            "usage": {
                "prompt_tokens": 90, "completion_tokens": 2, "total_tokens": 92,
                "prompt_tokens_details": { "cached_tokens": 64 },
            },
        });
        let (candidates, usage) = read(body).unwrap();
        let probability = Some((-0.75f64).exp());
        let first = Candidate { text: " jazz\n".into(), probability };
        assert_eq!(candidates, [first, Candidate { text: String::new(), probability: None }]);
        assert_eq!(usage, Usage { prompt: 26, shared: 64, answer: 2 });
    }

    #[test]
    fn a_lean_answer_will_do_and_an_answer_by_the_schema_is_unwrapped() {
        let said = |content: &str| read(json!({ "choices": [{ "message": { "content": content } }] })).unwrap();
        let (candidates, usage) = said(r#"{"cluster": "jazz, \"piano\""}"#);
        assert_eq!((candidates[0].text.as_str(), usage), ("jazz, \"piano\"", Usage::default()));
        assert_eq!(said(r#"{"other": 1}"#).0[0].text, r#"{"other": 1}"#);
    }

    #[test]
    fn what_is_no_answer_says_so() {
        for body in [json!({}), json!({ "choices": [] }), json!({ "choices": [{}] }), json!("text"), Value::Null] {
            assert!(read(body.clone()).is_err(), "{body}");
        }
        assert!(answer(&Config::default(), b"<html>").unwrap_err().contains("no chat completion"));
    }
}
