//! Exposures in an object store: `tests/data/s3.py` runs one that checks signatures.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdout, Command, Stdio};

use chrono::Utc;
use rustix::process::Signal;
use segue::proto::LookupRequest;
use serde_json::Value;

use super::experiments::{OUTCOMES, world};
use super::harness::{Process, World};
use super::server::{AT_LAST, Server, until};
use crate::serve::harness::lookup;
use crate::support::{data, python_with};

const LOGGED: &str = r#"
[exposures]
path = "s3://logs/of/exposures"
every = "100ms"
"#;

/// What Python imports for it. Older ones find fault with the signatures of listings.
const NEEDED: &str = "moto, moto.server, boto3; assert tuple(map(int, moto.__version__.split('.'))) >= (5, 2, 5)";

/// The server, and how to reach it.
struct Bucket {
    process: Process,
    answers: BufReader<ChildStdout>,
    told: Value,
}

impl Bucket {
    /// None, and it is said so, where Python lacks what it takes.
    fn start() -> Option<Self> {
        let python = python_with(NEEDED)?;
        let mut command = Command::new(python);
        command.arg(data("s3.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start(&mut command);
        let answers = BufReader::new(process.0.stdout.take().unwrap());
        let mut bucket = Self { process, answers, told: Value::Null };
        bucket.told = serde_json::from_str(&bucket.line()).unwrap();
        Some(bucket)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }

    fn order(&mut self, what: &str) {
        writeln!(self.process.0.stdin.as_mut().unwrap(), "{what}").unwrap();
        assert_eq!(self.line().trim(), what);
    }

    fn told(&self, what: &str) -> &str {
        self.told[what].as_str().unwrap()
    }

    /// An experiment whose exposures go here.
    fn world(&self, secret: &str) -> World {
        let mut world = world(&[LOGGED, OUTCOMES].concat());
        world.set("AWS_ENDPOINT_URL", self.told("endpoint"));
        world.set("AWS_ALLOW_HTTP", "true");
        world.set("AWS_ACCESS_KEY_ID", self.told("key"));
        world.set("AWS_SECRET_ACCESS_KEY", secret);
        world
    }
}

async fn ask(server: &Server, unit: usize) -> String {
    let request = LookupRequest { unit: format!("user {unit}"), ..lookup(&[3], 1) };
    server.lookups().await.lookup(request).await.unwrap().into_inner().arm
}

/// A server whose arms answer.
async fn served(world: &World) -> Server {
    let server = Server::start(world, &["--no-refresher"]);
    let _ = server.serves(1).await;
    until(AT_LAST, "an arm", async || !ask(&server, 0).await.is_empty()).await;
    server
}

async fn is_at_least(server: &Server, metric: &str, least: f64) {
    until(AT_LAST, metric, async || server.metric(metric).await >= least).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exposures_wait_for_an_object_store_that_is_away_and_are_read_from_it() {
    let Some(mut bucket) = Bucket::start() else { return };
    let world = bucket.world(bucket.told("secret"));
    let mut server = served(&world).await;
    for unit in 0..40 {
        ask(&server, unit).await;
    }
    is_at_least(&server, "segue_exposures_written_total", 40.0).await;
    bucket.order("away");
    for unit in 40..50 {
        ask(&server, unit).await;
    }
    is_at_least(&server, "segue_exposure_write_failures_total", 1.0).await;
    assert_eq!(server.metric("segue_exposures_written_total").await, 40.0);
    bucket.order("back");
    is_at_least(&server, "segue_exposures_written_total", 50.0).await;
    ask(&server, 50).await;
    server.process.signal(Signal::TERM);
    assert!(server.process.ends_within(AT_LAST).success());
    assert!(server.log().contains("s3://logs/of/exposures") && !server.log().contains("lost"), "{}", server.log());

    let outcomes: String =
        (0..51).map(|unit| format!("user {unit},{},{},5\n", Utc::now().to_rfc3339(), unit % 2)).collect();
    world.write("outcomes.csv", &("user_id,timestamp,satisfied,rating\n".to_owned() + &outcomes));
    world.write("spill/kept", "");
    let analyze = ["experiment", "analyze", "--set", "interactions.spill_dir=spill"];
    let report = world.json(&analyze);
    let units = report["sample_ratio"]["units"].as_array().unwrap();
    assert_eq!(units.iter().map(|units| units.as_u64().unwrap()).sum::<u64>(), 51, "{report:#}");
    assert_eq!(report["logs"]["exposures_repeated"], 0);
    assert_eq!(std::fs::read_dir(world.file("spill")).unwrap().count(), 1, "the copy is removed");
    let elsewhere = [&analyze[..], &["--exposures", "s3://logs/nothing/here"]].concat();
    world.run(&elsewhere).refused(&["s3://logs/nothing/here", "no object"]);
    bucket.order("away");
    world.run(&analyze).refused(&["s3://logs/of/exposures", "cannot be copied to spill"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_object_store_never_takes_is_told_as_lost_and_no_secret_is() {
    const SECRET: &str = "not-the-secret-of-this-key";
    let Some(bucket) = Bucket::start() else { return };
    let world = bucket.world(SECRET);
    let mut server = served(&world).await;
    for unit in 1..5 {
        ask(&server, unit).await;
    }
    is_at_least(&server, "segue_exposure_write_failures_total", 1.0).await;
    server.process.signal(Signal::TERM);
    assert!(server.process.ends_within(AT_LAST).success());
    let log = server.log();
    assert!(log.contains("SignatureDoesNotMatch") && log.contains("lost=5"), "{log}");
    assert!(!log.contains(SECRET), "{log}");
}
