//! `segue versions`: what the store holds, and what its channels point at.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{Common, output, who};
use crate::config::Config;
use crate::ids::VersionId;
#[cfg(feature = "refresher")]
use crate::inference;
use crate::store::{Channel, Finding, Judgement, Manifest, Note, State, Store, TaxonomyChange};

/// Arguments of `segue versions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The versions, newest first, with the channels that point at them
    List,
    /// One version: its state, what its gates found, its manifest
    Show {
        /// The version, v123 or 123
        version: VersionId,
    },
    /// Let a version go live whatever its gates said; `publish` then makes it live
    Approve {
        /// The version, v123 or 123
        version: VersionId,
        /// Why, kept with the version
        #[arg(long)]
        why: String,
    },
    /// Keep a version from going live
    Reject {
        /// The version, v123 or 123
        version: VersionId,
        /// Why, kept with the version
        #[arg(long)]
        why: String,
    },
    /// Every move of a channel, newest first: who, when, why
    Moves {
        #[command(flatten)]
        channel: ChannelArg,
    },
    /// Point a channel at a version
    Publish {
        /// The version, v123 or 123
        version: VersionId,
        #[command(flatten)]
        channel: ChannelArg,
        #[command(flatten)]
        why: WhyArg,
        /// Publish even where the cluster set differs from the live one
        #[arg(long)]
        allow_taxonomy_change: bool,
    },
    /// Point a channel back at what it pointed to before
    Rollback {
        /// The version to go back to [default: the one before]
        version: Option<VersionId>,
        #[command(flatten)]
        channel: ChannelArg,
        #[command(flatten)]
        why: WhyArg,
    },
    /// Remove versions that no channel needs, keeping the newest (store.keep), and a language model's answers that have
    /// been of no use for long (inference.keep_answers)
    Gc {
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
struct ChannelArg {
    /// The channel [default: serve.channel]
    #[arg(long)]
    channel: Option<String>,
}

impl ChannelArg {
    fn name<'n>(&'n self, config: &'n Config) -> &'n str {
        self.channel.as_ref().unwrap_or(&config.serve.channel)
    }
}

#[derive(Debug, clap::Args)]
struct WhyArg {
    /// Why, kept with the move
    #[arg(long, default_value = "asked for on the command line")]
    why: String,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let store = Store::open(&config.store)?;
    let note = |why: WhyArg| Note { who: who(), why: why.why };
    match args.verb {
        Verb::List => list(common, &store)?,
        Verb::Show { version } => show(common, &store, version)?,
        Verb::Approve { version, why } => judged(common, version, &store.approve(version, &Note { who: who(), why })?)?,
        Verb::Reject { version, why } => judged(common, version, &store.reject(version, &Note { who: who(), why })?)?,
        Verb::Moves { channel } => moves(common, &store, channel.name(&config))?,
        Verb::Publish { version, channel, why, allow_taxonomy_change } => {
            let taxonomy = if allow_taxonomy_change { TaxonomyChange::Allowed } else { TaxonomyChange::Refused };
            moved(common, &store.publish(channel.name(&config), version, &note(why), taxonomy)?)?;
        }
        Verb::Rollback { version, channel, why } => {
            moved(common, &store.rollback(channel.name(&config), version, &note(why))?)?;
        }
        Verb::Gc { dry_run } => gc(common, &config, &store, dry_run)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(common: &Common, store: &Store) -> anyhow::Result<()> {
    let pointers = store.channels_by_version()?;
    let manifests: Vec<Manifest> =
        store.versions()?.into_iter().map(|v| store.manifest(v)).collect::<Result<_, _>>()?;
    let channels = |manifest: &Manifest| pointers.get(&manifest.version).cloned().unwrap_or_default();
    let states: Vec<State> = manifests.iter().map(|m| store.state(m.version)).collect::<Result<_, _>>()?;
    if common.json {
        let row = |(m, state): (&Manifest, &State)| json!({ "manifest": m, "state": state, "channels": channels(m) });
        return output::json(&manifests.iter().zip(&states).map(row).collect::<Vec<_>>());
    }
    let header = ["version", "state", "created", "keys", "bytes", "predictor", "channels", "reason"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(manifests.iter().zip(&states).map(|(manifest, state)| {
        let keys: u64 = manifest.keys.iter().sum();
        vec![
            manifest.version.to_string(),
            state.to_string(),
            manifest.created.format("%F %T").to_string(),
            keys.to_string(),
            manifest.table_bytes.to_string(),
            manifest.lineage.predictor.clone(),
            channels(manifest).join(","),
            manifest.reason.clone(),
        ]
    }));
    Ok(output::columns(&rows)?)
}

fn show(common: &Common, store: &Store, version: VersionId) -> anyhow::Result<()> {
    let (manifest, judgements) = (store.manifest(version)?, store.judgements(version)?);
    if common.json {
        let mut told = serde_json::to_value(&manifest)?;
        told["state"] = json!(store.state(version)?);
        told["judgements"] = json!(judgements);
        told["evaluations"] = json!(store.evaluations(version)?);
        return output::json(&told);
    }
    report(&judgements)?;
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or("open".into(), |at| at.to_rfc3339());
    let (lineage, keys) = (&manifest.lineage, manifest.keys.iter().zip(1..));
    let keys: Vec<String> = keys.map(|(count, len)| format!("{count} of {len}")).collect();
    let mut rows = vec![
        ("version", manifest.version.to_string()),
        ("created", manifest.created.to_rfc3339()),
        ("creator", manifest.creator.clone()),
        ("reason", manifest.reason.clone()),
        ("parent", manifest.parent.map_or("none".into(), |parent| parent.to_string())),
        ("changed", manifest.changed.map_or("unknown".into(), |changed| changed.to_string())),
        ("channels", store.channels_by_version()?.remove(&version).unwrap_or_default().join(", ")),
        ("keys", keys.join(", ")),
        ("width", manifest.width.to_string()),
        ("bytes", manifest.table_bytes.to_string()),
        ("checksum", manifest.checksum.clone()),
        ("taxonomy", manifest.taxonomy_hash.to_string()),
        ("built by", lineage.creator.clone()),
        ("predictor", lineage.predictor.clone()),
        ("window", format!("[{}, {})", time(lineage.window_from), time(lineage.window_to))),
    ];
    let kept = store.evaluations(version)?;
    let kept =
        kept.iter().map(|kept| ("evaluated", format!("{}, {} by {}", kept.kind, kept.at.format("%F %T"), kept.who)));
    rows.extend(kept);
    rows.extend(lineage.model.iter().map(|model| ("model", model.clone())));
    rows.extend(lineage.tuned_to.map(|to| ("tuned up to", time(Some(to)))));
    rows.extend(lineage.prompt_hash.iter().map(|hash| ("prompt", hash.clone())));
    rows.extend(lineage.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    Ok(output::columns(&rows)?)
}

/// Every judgement, the newest first, with what the gates found.
fn report(judgements: &[Judgement]) -> anyhow::Result<()> {
    for judgement in judgements.iter().rev() {
        let Judgement { state, who, at, why, findings, .. } = judgement;
        output::line(format_args!("{state} by {who}, {}: {why}", at.format("%F %T")))?;
        let row =
            |finding: &Finding| vec![format!("  {}", finding.outcome), finding.gate.clone(), finding.says.clone()];
        output::columns(&findings.iter().map(row).collect::<Vec<_>>())?;
    }
    if judgements.is_empty() {
        output::line("unjudged: it was added without a report")?;
    }
    Ok(output::line("")?)
}

fn judged(common: &Common, version: VersionId, judgement: &Judgement) -> anyhow::Result<()> {
    if common.json {
        return output::json(&json!({ "version": version, "state": judgement.state }));
    }
    output::line(format_args!("{version} is {}", judgement.state))?;
    if judgement.state == State::Approved {
        output::note(format_args!("`segue versions publish {version}` makes it live"));
    }
    Ok(())
}

fn moves(common: &Common, store: &Store, name: &str) -> anyhow::Result<()> {
    let channel = store.channel(name)?;
    let channel =
        channel.ok_or_else(|| anyhow::anyhow!("there is no channel `{name}`: `segue versions list` shows them"))?;
    if common.json {
        return output::json(&channel.moves);
    }
    let mut rows = vec![["seq", "at", "action", "version", "blocked", "who", "why"].map(str::to_owned).to_vec()];
    rows.extend(channel.moves.iter().map(|step| {
        vec![
            step.seq.to_string(),
            step.at.format("%F %T").to_string(),
            step.action.to_string(),
            step.version.to_string(),
            step.blocklist.len().to_string(),
            step.who.clone(),
            step.why.clone(),
        ]
    }));
    Ok(output::columns(&rows)?)
}

fn moved(common: &Common, channel: &Channel) -> anyhow::Result<()> {
    if common.json {
        return output::json(&json!({ "channel": channel.name, "version": channel.version }));
    }
    Ok(output::line(format_args!("{} is at {}", channel.name, channel.version))?)
}

fn gc(common: &Common, config: &Config, store: &Store, dry_run: bool) -> anyhow::Result<()> {
    let removed = store.gc(dry_run)?;
    let swept = sweep(config, store, dry_run)?;
    if common.json {
        return output::json(&json!({ "dry_run": dry_run, "removed": removed, "answers": swept }));
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    let names: Vec<_> = removed.iter().map(ToString::to_string).collect();
    let names = if names.is_empty() { "nothing".into() } else { names.join(", ") };
    output::line(format_args!("{verb} {names}"))?;
    if let Some(swept) = swept {
        output::line(format_args!("{verb} {swept}"))?;
    }
    Ok(())
}

/// The answers of a language model, where any are kept. A refresh under way sweeps them itself.
#[cfg(feature = "refresher")]
fn sweep(config: &Config, store: &Store, dry_run: bool) -> anyhow::Result<Option<inference::Swept>> {
    match inference::Answers::sweep_in(store.path(), config.inference.keep_answers, dry_run) {
        Err(busy @ inference::InferenceError::AnswersBusy { .. }) => {
            output::note(busy);
            Ok(None)
        }
        swept => Ok(swept?),
    }
}

/// A build that asks no model.
#[cfg(not(feature = "refresher"))]
fn sweep(_: &Config, _: &Store, _: bool) -> anyhow::Result<Option<String>> {
    Ok(None)
}
