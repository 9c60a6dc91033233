//! `segue lookup`: one question, asked of a running server or of the store.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use serde_json::json;

use super::{Common, output};
use crate::config::Config;
use crate::ids::{ClusterId, VersionId};
use crate::lookup::{ClusterSet, Query, Rules, Scratch, lookup};
use crate::serve::proto::lookup_service_client::LookupServiceClient;
use crate::serve::proto::{LookupRequest, Source as WireSource};
use crate::store::Store;
use crate::table::Source;

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
    /// The server's gRPC address [default: serve.grpc_addr]
    #[arg(long)]
    addr: Option<SocketAddr>,
    /// Answer from the store, without a server
    #[arg(long, conflicts_with = "addr")]
    offline: bool,
}

/// An answer, wherever it comes from.
struct Told {
    version: VersionId,
    matched: u32,
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
        output::json(&json!({ "version": told.version, "matched": told.matched, "predictions": predictions }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format_args!("{} matched {} of {:?}", told.version, told.matched, args.history))?;
    let mut rows = vec![["cluster", "score", "source", "level"].map(str::to_owned).to_vec()];
    rows.extend(told.predictions.iter().map(|(cluster, score, source, level)| {
        vec![cluster.to_string(), format!("{score:.4}"), (*source).to_owned(), level.to_string()]
    }));
    output::columns(&rows)?;
    Ok(ExitCode::SUCCESS)
}

async fn online(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let addr = args.addr.unwrap_or(config.serve.grpc_addr);
    let client = LookupServiceClient::connect(format!("http://{addr}")).await;
    let mut client =
        client.with_context(|| format!("no server answers at {addr}: start `segue serve`, or use --offline"))?;
    let request = LookupRequest {
        history: args.history.clone(),
        limit: args.limit,
        exclude: args.exclude.clone(),
        channel: args.channel.clone().unwrap_or_default(),
        unit: String::new(),
    };
    let answer = client.lookup(request).await;
    let answer = answer.map_err(|status| anyhow::anyhow!("{:?}: {}", status.code(), status.message()))?.into_inner();
    let predictions = answer.predictions.iter().map(|prediction| {
        let source = match prediction.source() {
            WireSource::Llm => "llm",
            WireSource::Retrieved => "retrieved",
            WireSource::Popular => "popular",
            WireSource::Unspecified => "unspecified",
        };
        (prediction.cluster, prediction.score, source, prediction.level)
    });
    Ok(Told { version: VersionId(answer.version), matched: answer.matched, predictions: predictions.collect() })
}

fn offline(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let name = args.channel.as_ref().unwrap_or(&config.serve.channel);
    let store = Store::open(&config.store)?;
    let channel = store.channel(name)?;
    let channel = channel.with_context(|| format!("there is no channel `{name}`: publish a version on it first"))?;
    let table = super::table::read(&store.table_path(channel.version))?;
    let blocked = channel.blocklist.iter().filter_map(|&ClusterId(id)| table.index_of(ClusterId(id)));
    let blocklist = ClusterSet::of(blocked);
    let rules = Rules { blocklist: &blocklist, max_history: config.serve.max_history.get() };
    let query = Query { history: &args.history, limit: args.limit, exclude: &args.exclude };
    let mut scratch = Scratch::default();
    let answer = lookup(&table, rules, query, &mut scratch)?;
    let predictions = answer.predictions.iter().map(|prediction| {
        let source = match prediction.source {
            Source::Llm => "llm",
            Source::Retrieved => "retrieved",
            Source::Popular => "popular",
        };
        (prediction.cluster.0, f32::from(prediction.score), source, prediction.level)
    });
    Ok(Told { version: channel.version, matched: answer.matched, predictions: predictions.collect() })
}
