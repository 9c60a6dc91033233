//! `segue explain`: why a history is answered as it is.

use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use super::{Common, output};
use crate::ids::{ClusterId, VersionId};
use crate::store::{Explanation, Store};
use crate::table::Candidate;

/// Arguments of `segue explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The clusters of the history, oldest first; what is explained is the key that a lookup would find first
    #[arg(required = true)]
    history: Vec<u32>,
    /// The version, v123 or 123 [default: what the channel points at]
    #[arg(long)]
    version: Option<VersionId>,
    /// The channel [default: serve.channel]
    #[arg(long, conflicts_with = "version")]
    channel: Option<String>,
}

/// Successors shown.
const SHOWN: usize = 10;

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let store = Store::open(&config.store)?;
    let version = match args.version {
        Some(version) => version,
        None => {
            let name = args.channel.as_ref().unwrap_or(&config.serve.channel);
            let channel = store.channel(name)?;
            channel.with_context(|| format!("there is no channel `{name}`: publish a version on it first"))?.version
        }
    };
    let history: Vec<ClusterId> = args.history.iter().copied().map(ClusterId).collect();
    let found = store.explain(version, &history)?;
    let found =
        found.with_context(|| format!("{version} has no key for {:?}: it is answered from popular", args.history))?;
    if common.json {
        output::json(&json!({ "version": version, "explanation": found }))?;
    } else {
        tell(version, &found)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(version: VersionId, why: &Explanation) -> anyhow::Result<()> {
    let ids = |clusters: &[ClusterId]| clusters.iter().map(ClusterId::to_string).collect::<Vec<_>>().join(" ");
    let successors = why.successors.iter().take(SHOWN).map(|one| format!("{} ({})", one.cluster, one.count));
    let candidate = |one: &Candidate| format!("{} ({} {:.4})", one.cluster, one.source.name(), f32::from(one.score));
    let row: Vec<_> = why.row.iter().map(candidate).collect();
    let mut rows = vec![
        ("version", version.to_string()),
        ("key", ids(&why.key)),
        ("seen", why.seen.to_string()),
        ("successors", successors.collect::<Vec<_>>().join(", ")),
        ("retrieved", ids(&why.retrieved)),
    ];
    let told = [("answer", &why.answer), ("parsed", &why.parsed)];
    rows.extend(told.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))));
    rows.push(("row", if row.is_empty() { "none: shorter keys answer".into() } else { row.join(", ") }));
    output::columns(&rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect::<Vec<_>>())?;
    if let Some(prompt) = &why.prompt {
        output::line(format_args!("prompt\n{prompt}"))?;
    }
    Ok(())
}
