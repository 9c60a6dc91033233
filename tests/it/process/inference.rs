//! `refresh` with a language model: what is asked, what is not asked again, and what becomes of the answers.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use segue::inference::Answers;
use segue::proto::RefreshRequest;
use segue::proto::refresh_event::State;
use serde_json::{Value, json};

use super::harness::{LONGEST_RUN, Process, Ran, World, finish};
use super::server::{AT_LAST, Server, events_until, until};
use crate::inference::endpoint::{Behaviour, Endpoint, user};

/// Names the last description that its prompt shows, or, where none of recent behaviour is shown, says what it must not.
fn behaviour() -> Behaviour {
    let answering = |body: &Value| {
        let last = user(body).lines().last().unwrap_or_default().to_owned();
        match last.split_once("took up: ") {
            Some((_, description)) => description.to_owned(),
            None => "I cannot tell".to_owned(),
        }
    };
    Behaviour { answering: Box::new(answering), ..Behaviour::default() }
}

/// Short windows, so that a new day changes some prompts and not all; a model that often disobeys is let through.
fn world(days: u32, endpoint: &Endpoint, more: &str) -> World {
    let world = World::simulated(days);
    let config = world.read("segue.toml");
    world.write(
        "segue.toml",
        &format!(
            "{config}\n[retrieval]\nwindow = \"2d\"\n[inference]\nbackend = \"openai\"\nkeys = {{ observed = 1 }}\n{more}\n\
             [inference.openai]\nurl = \"{}\"\nmodel = \"m\"\nkey_env = \"SEGUE_TEST_KEY\"\nbatch_poll = \"10ms\"\n\
             [evaluation]\nexact_match = {{ severity = \"warn\" }}\nfallbacks = {{ severity = \"warn\" }}\n\
             collapse = {{ severity = \"warn\" }}\n",
            endpoint.url
        ),
    );
    world
}

/// What `count` says of keys of two: counts by key, next ascending.
fn counted(world: &World, args: &[&str]) -> BTreeMap<(u32, u32), Vec<(u32, u64)>> {
    let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in world.text(&[&["count"], args].concat()).lines().skip(1) {
        let cells: Vec<u64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let [c1, c2, next] = [0, 1, 2].map(|at| u32::try_from(cells[at]).unwrap());
        keys.entry((c1, c2)).or_default().push((next, cells[3]));
    }
    keys
}

/// Reckoned from CSV alone: every key of the table's window with the successor that its prompt shows.
fn prompts(world: &World) -> BTreeMap<(u32, u32), Option<u32>> {
    let manifest = world.json(&["versions", "list"])[0]["manifest"].clone();
    let to: chrono::DateTime<chrono::Utc> = manifest["lineage"]["window_to"].as_str().unwrap().parse().unwrap();
    let from = (to - chrono::TimeDelta::days(2)).to_rfc3339();
    let to = to.to_rfc3339();
    let recent = counted(world, &["--from", &from, "--to", &to]);
    let top = |key: &(u32, u32)| {
        let next = recent.get(key)?;
        next.iter().max_by_key(|&&(next, count)| (count, std::cmp::Reverse(next))).map(|&(next, _)| next)
    };
    counted(world, &["--to", &to]).into_keys().map(|key| (key, top(&key))).collect()
}

/// The first questions, without those asked again.
fn firsts(endpoint: &Endpoint) -> usize {
    endpoint.questions().iter().filter(|body| body["seed"] == 0).count()
}

#[test]
fn only_what_changed_is_asked_and_the_answers_lead_the_rows() {
    let endpoint = Endpoint::start(behaviour());
    let world = world(4, &endpoint, "");
    let told = world.json(&["refresh"]);
    let lineage = &told["manifest"]["lineage"];
    assert_eq!((&lineage["predictor"], &lineage["model"]), (&json!("openai"), &json!("openai/m")), "{told}");
    assert_eq!(lineage["prompt_hash"].as_str().map(str::len), Some(32));
    assert_eq!(lineage["settings"]["retrieval.similarity"], "\"frequency\"", "{lineage}");
    assert_eq!(lineage["settings"]["retrieval.window"], "2days", "{lineage}");
    assert!(world.text(&["versions", "show", "v1"]).contains("openai/m"));
    let first = prompts(&world);
    assert_eq!(firsts(&endpoint), first.len());
    let shown = first.values().flatten().count();
    assert!(shown > 20 && shown < first.len(), "{shown} of {} keys have a recent successor", first.len());

    // An answered key is led by what the model said, with its own successors behind; a fallback by those alone.
    for (&(c1, c2), next) in first.iter().take(40) {
        let row = world.json(&["lookup", "--offline", &c1.to_string(), &c2.to_string(), "--limit", "2"]);
        let leads = &row["predictions"][0];
        assert_eq!(row["matched"], 2, "{row}");
        match next {
            Some(next) => assert_eq!((&leads["cluster"], &leads["source"]), (&json!(next), &json!("llm")), "{row}"),
            None => assert_eq!(leads["source"], "retrieved", "{row}"),
        }
    }

    let before = endpoint.questions().len();
    assert_eq!(world.run(&["refresh"]).code, Some(4), "the log is unchanged");
    let ran = world.run(&["refresh", "--set", "table.width=4"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains(": 0 questions to ask about "), "{ran:?}");
    assert_eq!(endpoint.questions().len(), before, "the log is unchanged: nothing is asked");

    world.add_day(4);
    let asked = firsts(&endpoint);
    let ran = world.run(&["refresh"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let second = prompts(&world);
    let changed = second.iter().filter(|(key, next)| first.get(key) != Some(next)).count();
    assert!(changed > 0 && changed < second.len(), "{changed} of {}", second.len());
    assert_eq!(firsts(&endpoint) - asked, changed, "exactly the keys whose prompt changed");
    assert!(ran.stderr.contains(&format!("{changed} questions to ask about {} keys", second.len())), "{ran:?}");
}

#[test]
fn a_refresh_and_gc_sweep_answers_of_no_use_for_long_and_no_others() {
    let endpoint = Endpoint::start(behaviour());
    let world = world(2, &endpoint, "");
    world.refresh();
    let file = world.file("store").join(Answers::FILE);
    let old = |keys: [u128; 2]| {
        let past = chrono::Utc::now().date_naive() - chrono::Days::new(70);
        let answers = Answers::open_on(&file, past).unwrap();
        answers.keep(&keys.map(|key| (key, Vec::new()))).unwrap();
    };
    old([1, 2]);
    world.add_day(2);
    let ran = world.run(&["refresh"]);
    assert!(ran.stderr.contains("sweep 1/1: removed 2 of the model's answers of no use for long"), "{ran:?}");
    let asked = endpoint.questions().len();
    let again = world.run(&["refresh", "--set", "table.width=4"]);
    assert!(!again.stderr.contains("sweep") && endpoint.questions().len() == asked, "{again:?}");

    old([3, 4]);
    let swept = &world.json(&["versions", "gc"])["answers"];
    assert_eq!(swept["removed"], 0, "they are of the last run: {swept}");
    assert_eq!(world.run(&["refresh", "--set", "table.width=5"]).code, Some(0));
    let would = world.text(&["versions", "gc", "--dry-run"]);
    assert!(would.contains("would remove 0 of the model's answers"), "the refresh has swept: {would}");
    assert_eq!(endpoint.questions().len(), asked);
}

#[test]
fn the_recall_of_a_models_first_table_outlives_that_table() {
    let endpoint = Endpoint::start(behaviour());
    let world = world(2, &endpoint, "");
    let report =
        |version: u64| world.json(&["versions", "show", &version.to_string()])["judgements"][0]["report"].clone();
    assert_eq!(world.refresh(), 1);
    let first = report(1);
    assert_eq!(first["first_recall"], Value::Null);
    let expected = json!({
        "value": first["recall"]["recall"], "low": first["recall"]["low"], "high": first["recall"]["high"],
    });
    for day in 2..4 {
        world.add_day(day);
        assert_eq!(report(world.refresh())["first_recall"], expected);
    }
    world.text(&["versions", "gc", "--set", "store.keep=1"]);
    world.run(&["versions", "show", "1"]).refused(&["no version v1"]);
    world.add_day(4);
    let fourth = report(world.refresh());
    assert_eq!(fourth["first_recall"], expected, "handed on");
    assert_ne!(fourth["recall"], first["recall"], "and told apart from its own");
    assert_eq!(world.run(&["refresh", "--set", "inference.openai.model=other"]).code, Some(0));
    assert_eq!(report(5)["first_recall"], Value::Null, "another model begins anew");
}

#[test]
fn every_history_of_active_clusters_is_asked_within_the_budget() {
    let endpoint = Endpoint::start(behaviour());
    let every = world(1, &endpoint, "");
    let base = ["refresh", "--set", "inference.keys=every", "--set", "inference.decoding.retries=0"];
    let capped = [base.as_slice(), &["--set", "inference.budget.max_questions=50"]].concat();
    assert_eq!(every.run(&capped).code, Some(0));
    assert_eq!(endpoint.questions().len(), 50);
    // What the budget left out is no reason to call the log done.
    let ran = every.run(&capped);
    assert_eq!((ran.code, endpoint.questions().len()), (Some(0), 100), "{ran:?}");
    assert_eq!(every.run(&base).code, Some(0));
    assert_eq!(endpoint.questions().len(), 12 * 11, "every ordered pair of twelve clusters");
    assert_eq!(every.run(&base).code, Some(4));
}

#[test]
fn questions_written_out_and_answers_read_back_make_the_same_table() {
    let endpoint = Endpoint::start(behaviour());
    let online = world(2, &endpoint, "");
    online.run(&["refresh"]);
    let offline = world(2, &endpoint, "");
    let told = offline.json(&["refresh", "--export-batch", "questions.jsonl"]);
    assert_eq!(
        (&told["outcome"], told["questions"].as_u64()),
        (&json!("exported"), Some(prompts(&online).len() as u64))
    );
    assert!(!offline.file("store/versions/1").exists(), "nothing is published");

    // Someone else's runner: any that answers each line by its custom_id.
    let answer = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["method"], &line["url"]), (&json!("POST"), &json!("/v1/chat/completions")));
        let content = (behaviour().answering)(&line["body"]);
        let body = json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": content } }] });
        let response = json!({ "status_code": 200, "request_id": "r", "body": body });
        format!("{}\n", json!({ "id": "x", "custom_id": line["custom_id"], "response": response, "error": null }))
    };
    let answers: String = offline.read("questions.jsonl").lines().map(answer).collect();
    offline.write("answers.jsonl", &answers);
    let before = endpoint.questions().len();
    assert_eq!(offline.run(&["refresh", "--import-batch", "answers.jsonl"]).code, Some(0));
    assert_eq!(endpoint.questions().len(), before, "nothing is asked");
    for (c1, c2) in prompts(&online).into_keys().take(20) {
        let ask = |world: &World| {
            world.json(&["lookup", "--offline", &c1.to_string(), &c2.to_string()])["predictions"].clone()
        };
        assert_eq!(ask(&offline), ask(&online));
    }

    offline.write("broken.jsonl", "{\"custom_id\": \"segue-0\"}\nnothing\n");
    offline.add_day(2);
    offline
        .run(&["refresh", "--import-batch", "broken.jsonl"])
        .refused(&["broken.jsonl line 2", "no line of batch answers"]);
    offline.run(&["refresh", "--export-batch", "nowhere/x.jsonl"]).refused(&["nowhere/x.jsonl", "cannot be written"]);
    let plain = ["refresh", "--export-batch", "x.jsonl", "--set", "inference.backend=retrieved"];
    offline.run(&plain).refused(&["inference.backend", "openai-batch"]);
}

#[test]
fn batches_make_the_same_table_and_ask_nothing_twice() {
    let endpoint = Endpoint::start(behaviour());
    let world = world(2, &endpoint, "");
    let batch = ["refresh", "--set", "inference.backend=openai-batch", "--set", "inference.openai.batch_requests=40"];
    let ran = world.run(&batch);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let asked = endpoint.questions().len();
    assert!(endpoint.batches() > 1);
    // The same model by another way: its answers are known.
    assert_eq!(world.run(&["refresh"]).code, Some(0));
    assert_eq!(endpoint.questions().len(), asked);
}

#[test]
fn a_run_that_is_killed_goes_on_where_it_was() {
    let endpoint = Endpoint::start(Behaviour { pause: Duration::from_millis(40), ..behaviour() });
    let world = world(3, &endpoint, "[inference.decoding]\nretries = 0");
    let slow = ["refresh", "--set", "inference.openai.concurrency=1"];
    let mut process = Process::start(world.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()));
    let began = std::time::Instant::now();
    // Answers are kept every second.
    while endpoint.questions().len() < 60 {
        assert!(began.elapsed() < LONGEST_RUN, "{} questions", endpoint.questions().len());
        std::thread::sleep(Duration::from_millis(10));
    }
    process.signal(Signal::KILL);
    process.ends_within(LONGEST_RUN);
    let asked = endpoint.questions().len();
    assert!(!world.file("store/versions/1").exists());
    assert_eq!(world.run(&["refresh"]).code, Some(0));
    let all = prompts(&world).len();
    let again = endpoint.questions().len() - all;
    assert!(asked < all, "it was killed in the middle: {asked} of {all}");
    assert!(again <= 40, "at most what a second answered is asked again: {again} of {asked}");
}

#[test]
fn what_stops_a_model_is_told_and_the_live_table_stays() {
    let endpoint = Endpoint::start(behaviour());
    let world = world(1, &endpoint, "");
    world.run(&["refresh", "--set", "inference.backend=retrieved"]);
    let gone =
        ["refresh", "--set", "inference.openai.url=http://127.0.0.1:9/v1", "--set", "inference.openai.retries=0"];
    let refused = |ran: Ran, parts: &[&str]| ran.refused(parts);
    refused(world.run(&gone), &["openai/m stopped after 0 answers", "127.0.0.1:9", "is it running there?"]);
    refused(world.run(&["refresh", "--set", "inference.openai.model="]), &["\"openai\"", "model is empty"]);
    if cfg!(not(feature = "embedded")) {
        refused(
            world.run(&["refresh", "--set", "inference.backend=embedded"]),
            &["\"embedded\"", "--features embedded"],
        );
    }
    refused(world.run(&["refresh", "--set", "inference.max_keys=0"]), &["inference.max_keys", "at least one key"]);
    world.write("prompt.j2", "{% block user %}{{ nobody }}{% endblock %}");
    let template = ["refresh", "--set", "inference.prompt.rag=prompt.j2"];
    refused(world.run(&template), &["template `rag`", "no variable `nobody`"]);
    let mut keyed = world.command(&[
        "refresh",
        "--set",
        "inference.openai.url=http://127.0.0.1:9/v1",
        "--set",
        "inference.openai.retries=0",
    ]);
    keyed.env("SEGUE_TEST_KEY", "sk-very-secret");
    let ran = finish(keyed);
    assert!(ran.code == Some(1) && !ran.stderr.contains("sk-very-secret"), "{ran:?}");
    assert_eq!(world.json(&["lookup", "--offline"])["version"], 1);
}

#[test]
fn prompts_show_trends_and_everyones_moves_where_the_config_says_so() {
    let endpoint = Endpoint::start(behaviour());
    let world = world(4, &endpoint, "");
    let base = ["refresh", "--set", "inference.decoding.retries=0", "--set"];
    assert_eq!(world.run(&[base.as_slice(), &["retrieval.similarity=trend"]].concat()).code, Some(0));
    let shown =
        |questions: &[Value], text: &str| questions.iter().filter(|body| body.to_string().contains(text)).count();
    let trends = endpoint.questions();
    let (rising, falling) = (shown(&trends, "More and more people"), shown(&trends, "Fewer and fewer people"));
    assert!(rising > 0 && falling > 0 && rising + falling <= trends.len(), "{rising} + {falling} of {}", trends.len());
    assert_eq!(shown(&trends, "Other people"), 0);

    assert_eq!(world.run(&[base.as_slice(), &["retrieval.granularity=global"]].concat()).code, Some(0));
    let global = endpoint.questions().split_off(trends.len());
    assert_eq!(global.len(), trends.len(), "every prompt is another one");
    let system = global[0]["messages"][0]["content"].as_str().unwrap();
    assert_eq!(system.matches("people took up: ").count(), 100, "{system}");
    assert!(global.iter().all(|body| body["messages"][0]["content"] == system), "one context for all keys");

    std::fs::write(world.file("counts.csv"), "c1,c2,next,count\n1,2,3,4\n").unwrap();
    let counts = ["refresh", "--counts", "counts.csv", "--set", "retrieval.similarity=trend"];
    world.run(&counts).refused(&["retrieval.similarity", "\"frequency\" with --counts"]);
    let ran = world.run(&["refresh", "--counts", "counts.csv"]);
    assert_eq!(ran.code, Some(3), "one key of many is no table to replace the live one with: {ran:?}");
    let last = endpoint.questions().pop().unwrap();
    assert!(user(&last).contains("Other people with this history recently took up: "), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_how_asking_goes() {
    let endpoint = Endpoint::start(Behaviour { pause: Duration::from_millis(100), ..behaviour() });
    let world = world(2, &endpoint, "");
    let server = Server::start(&world, &["--set", "inference.openai.concurrency=4"]);
    let mut events = server.watch().await;
    until(AT_LAST, "refresher", async || {
        let request = RefreshRequest { who: "ada".into(), why: "new log".into() };
        server.operations().await.refresh(request).await.is_ok()
    })
    .await;
    let seen = events_until(&mut events, State::Published).await;
    let asking: Vec<_> = seen.iter().filter(|event| event.step == "ask" && event.done > 0).collect();
    assert!(
        asking.iter().any(|event| event.message.contains("questions/s") && event.message.contains("to go")),
        "{seen:#?}"
    );
    assert!(server.metric(r#"segue_refresh_step_parts{step="ask"}"#).await > 10.0);
    server.serves(1).await;
}
