//! Swaps under load, through the real process: every answer is wholly that of the version it names.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use segue::proto::{BatchLookupRequest, LookupResponse, Source};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::harness::World;
use super::server::Server;
use crate::serve::harness::{lookup, post};

const SWAPS: u64 = 24;

const LIMIT: u32 = 6;

const HISTORIES: [&[u32]; 8] = [&[], &[3], &[3, 5], &[5, 3], &[12, 1], &[1, 2, 3, 4], &[7, 8], &[99, 6]];

/// A prediction as every API tells it: cluster, score, source, level.
type Told = (u32, f32, String, u32);

/// What each version answers to each history, and with how much of it matched.
type Expected = BTreeMap<u64, Vec<(u32, Vec<Told>)>>;

fn of_json(answer: &Value) -> (u32, Vec<Told>) {
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let told = |one: &Value| {
        let source = one["source"].as_str().unwrap().to_owned();
        (number(&one["cluster"]), one["score"].as_f64().unwrap() as f32, source, number(&one["level"]))
    };
    (number(&answer["matched"]), answer["predictions"].as_array().unwrap().iter().map(told).collect())
}

fn of_grpc(answer: &LookupResponse) -> (u32, Vec<Told>) {
    let source = |source| match source {
        Source::Retrieved => "retrieved".to_owned(),
        Source::Popular => "popular".to_owned(),
        other => format!("{other:?}"),
    };
    let told = answer.predictions.iter().map(|one| (one.cluster, one.score, source(one.source()), one.level));
    (answer.matched, told.collect())
}

/// What the store answers to every history without any server.
fn offline(world: &World) -> Vec<(u32, Vec<Told>)> {
    let ask = |history: &&[u32]| {
        let ids: Vec<String> = history.iter().map(u32::to_string).collect();
        let mut args = vec!["lookup", "--offline", "--limit", "6"];
        args.extend(ids.iter().map(String::as_str));
        of_json(&world.json(&args))
    };
    HISTORIES.iter().map(ask).collect()
}

/// Clients that ask until told to stop.
struct Storm {
    server: Server,
    expected: Expected,
    stop: AtomicBool,
}

impl Storm {
    /// Returns the version that answered.
    fn check(&self, at: usize, version: u64, told: &(u32, Vec<Told>)) -> u64 {
        let expected = &self.expected[&version][at % HISTORIES.len()];
        assert_eq!(told, expected, "version {version}, history {:?}", HISTORIES[at % HISTORIES.len()]);
        version
    }

    fn check_grpc(&self, at: usize, answer: &LookupResponse) -> u64 {
        self.check(at, answer.version, &of_grpc(answer))
    }

    /// The calls to make: their numbers.
    fn calls(&self) -> impl Iterator<Item = usize> {
        (0..).take_while(|_| !self.stop.load(Ordering::Relaxed))
    }

    async fn unary(self: Arc<Self>) -> Vec<u64> {
        let (mut client, mut versions) = (self.server.lookups().await, Vec::new());
        for at in self.calls() {
            let answer = client.lookup(lookup(HISTORIES[at % HISTORIES.len()], LIMIT)).await.unwrap().into_inner();
            versions.push(self.check_grpc(at, &answer));
        }
        versions
    }

    async fn batch(self: Arc<Self>) -> Vec<u64> {
        let (mut client, mut versions) = (self.server.lookups().await, Vec::new());
        for _ in self.calls() {
            let lookups: Vec<_> = HISTORIES.iter().cycle().take(64).map(|history| lookup(history, LIMIT)).collect();
            let answer = client.batch_lookup(BatchLookupRequest { lookups }).await.unwrap().into_inner();
            assert_eq!(answer.results.len(), 64);
            let named = answer.results.iter().enumerate().map(|(at, one)| self.check_grpc(at, one));
            let mut named: Vec<_> = named.collect();
            named.dedup();
            assert_eq!(named.len(), 1, "a batch of several versions");
            versions.extend(named);
        }
        versions
    }

    async fn stream(self: Arc<Self>) -> Vec<u64> {
        let (questions, asked) = mpsc::channel(8);
        let answers = self.server.lookups().await.stream_lookup(ReceiverStream::new(asked)).await;
        let (mut answers, mut versions) = (answers.unwrap().into_inner(), Vec::new());
        for at in self.calls() {
            questions.send(lookup(HISTORIES[at % HISTORIES.len()], LIMIT)).await.unwrap();
            versions.push(self.check_grpc(at, &answers.message().await.unwrap().unwrap()));
        }
        drop(questions);
        assert!(answers.message().await.unwrap().is_none(), "one answer per question");
        versions
    }

    async fn http(self: Arc<Self>) -> Vec<u64> {
        let mut versions = Vec::new();
        for at in self.calls() {
            let question = json!({ "history": HISTORIES[at % HISTORIES.len()], "limit": LIMIT });
            let answer = post(self.server.http, "/v1/lookup", question).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = answer.json();
            versions.push(self.check(at, answer["version"].as_u64().unwrap(), &of_json(&answer)));
        }
        versions
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_or_mixes_versions_while_another_process_moves_the_channel() {
    let world = World::simulated(1);
    let mut expected = Expected::new();
    expected.insert(world.refresh(), offline(&world));
    (1..6).for_each(|day| world.add_day(day));
    expected.insert(world.refresh(), offline(&world));
    assert!(expected[&1].iter().zip(&expected[&2]).filter(|(one, two)| one != two).count() > 5, "{expected:#?}");

    let server = Server::start(&world, &["--no-refresher", "--set", "serve.poll=20ms"]);
    server.serves(2).await;
    let storm = Arc::new(Storm { server, expected, stop: AtomicBool::new(false) });
    let clients = [
        tokio::spawn(Arc::clone(&storm).unary()),
        tokio::spawn(Arc::clone(&storm).unary()),
        tokio::spawn(Arc::clone(&storm).batch()),
        tokio::spawn(Arc::clone(&storm).stream()),
        tokio::spawn(Arc::clone(&storm).http()),
    ];
    for swap in 0..SWAPS {
        let version = 1 + swap % 2;
        world.text(&["versions", "publish", &format!("v{version}")]);
        storm.server.serves(version).await;
    }
    storm.stop.store(true, Ordering::Relaxed);
    for client in clients {
        let mut seen = client.await.unwrap();
        seen.dedup();
        assert!(seen.len() > 10, "a client saw too few swaps: {seen:?}");
    }
    let failed = storm.server.metric("segue_swap_refused_total").await + storm.server.metric("segue_shed_total").await;
    assert_eq!(failed, 0.0);
}
