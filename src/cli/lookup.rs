//! `segue lookup`: one question, asked of a running server or of the store.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use clap::Parser;
use serde_json::json;

use super::{Common, output};
use crate::client::{self, Client};
use crate::config::Config;
use crate::experiment::{Declared, Experiments};
use crate::ids::VersionId;
use crate::lookup::{Query, Rules, Scratch, lookup};
use crate::proto::{LookupRequest, Source as WireSource};
use crate::store::Store;

/// Arguments of `segue lookup`.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// The clusters of the history, oldest first
    history: Vec<u32>,
    /// How many predictions
    #[arg(long, short = 'n', default_value_t = 1)]
    limit: u32,
    /// Clusters never to be predicted
    #[arg(long, value_delimiter = ',')]
    exclude: Vec<u32>,
    /// The channel [default: serve.channel]
    #[arg(long)]
    channel: Option<String>,
    /// The experiment unit, normally the user: its arm's channel answers
    #[arg(long)]
    unit: Option<String>,
    /// The server's gRPC port: an address, or unix:PATH [default: serve.grpc_addr]
    #[arg(long)]
    addr: Option<String>,
    /// Answer from the store, without a server: copies and proves the table first, as a server does
    #[arg(long, conflicts_with = "addr")]
    offline: bool,
}

/// An answer, wherever it comes from.
struct Told {
    version: VersionId,
    matched: u32,
    /// Experiment and arm; empty where no experiment took over.
    assigned: (String, String),
    predictions: Vec<(u32, f32, &'static str, u32)>,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let told =
        if args.offline { offline(&config, &args)? } else { super::runtime()?.block_on(online(&config, &args))? };
    if common.json {
        let predictions = told.predictions.iter().map(|(cluster, score, source, level)| {
            json!({ "cluster": cluster, "score": score, "source": source, "level": level })
        });
        let predictions: Vec<_> = predictions.collect();
        let (experiment, arm) = &told.assigned;
        output::json(&json!({
            "version": told.version, "matched": told.matched, "experiment": experiment, "arm": arm,
            "predictions": predictions,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format_args!("{} matched {} of {:?}", told.version, told.matched, args.history))?;
    if let (experiment, arm) = &told.assigned
        && !arm.is_empty()
    {
        output::line(format_args!("experiment {experiment}, arm {arm}"))?;
    }
    let mut rows = vec![["cluster", "score", "source", "level"].map(str::to_owned).to_vec()];
    rows.extend(told.predictions.iter().map(|(cluster, score, source, level)| {
        vec![cluster.to_string(), format!("{score:.4}"), (*source).to_owned(), level.to_string()]
    }));
    output::columns(&rows)?;
    Ok(ExitCode::SUCCESS)
}

async fn online(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let request = LookupRequest {
        history: args.history.clone(),
        limit: args.limit,
        exclude: args.exclude.clone(),
        channel: args.channel.clone().unwrap_or_default(),
        unit: args.unit.clone().unwrap_or_default(),
    };
    let answer = Client::new(&asking(config, args))?.lookup(request).await.map_err(|error| match error {
        client::Error::Unreachable { .. } => anyhow::Error::from(error).context("--offline asks the store instead"),
        error => error.into(),
    })?;
    let predictions = answer.predictions.iter().map(|prediction| {
        let source = match prediction.source() {
            WireSource::Llm => "llm",
            WireSource::Retrieved => "retrieved",
            WireSource::Popular => "popular",
            WireSource::Unspecified => "unspecified",
        };
        (prediction.cluster, prediction.score, source, prediction.level)
    });
    let predictions = predictions.collect();
    let assigned = (answer.experiment, answer.arm);
    Ok(Told { version: VersionId(answer.version), matched: answer.matched, assigned, predictions })
}

/// Whom to ask. A person would rather be told at once that nobody answers than after some retries.
fn asking(config: &Config, args: &Args) -> client::Config {
    let addr = args.addr.clone().unwrap_or_else(|| config.serve.grpc_addr.to_string());
    let target = if addr.parse::<SocketAddr>().is_ok() { format!("http://{addr}") } else { addr };
    let (timeout, attempts) = (Duration::from_secs(5), NonZeroU32::MIN);
    client::Config { target, timeout, attempts, ..client::Config::default() }
}

fn offline(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let name = args.channel.as_ref().unwrap_or(&config.serve.channel);
    let store = Store::open(&config.store)?;
    let declared = Declared::new(Experiments::new(&config.experiments)?, store.clone());
    let experiments = declared.standing(&declared.ledger()?).experiments;
    let unit = args.unit.as_deref().unwrap_or_default();
    let mut assigned = experiments.assign(name, unit, Utc::now().timestamp());
    // As a server does: an arm without a table is not named.
    if let Some(arm) = assigned
        && store.channel(arm.channel)?.is_none()
    {
        assigned = None;
    }
    let snapshot = store.snapshot(assigned.map_or(name, |arm| arm.channel))?;
    let rules = Rules { blocklist: &snapshot.blocklist, max_history: config.serve.max_history.get() };
    let query = Query { history: &args.history, limit: args.limit, exclude: &args.exclude };
    let mut scratch = Scratch::default();
    let answer = lookup(&snapshot.table, rules, query, &mut scratch)?;
    let predictions = answer.predictions.iter().map(|prediction| {
        (prediction.cluster.0, f32::from(prediction.score), prediction.source.name(), prediction.level)
    });
    let predictions = predictions.collect();
    let assigned = assigned.map(|at| (at.experiment.to_owned(), at.arm.to_owned())).unwrap_or_default();
    Ok(Told { version: snapshot.version, matched: answer.matched, assigned, predictions })
}
