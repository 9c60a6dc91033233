//! `segue experiment list|set|end`.

use std::process::ExitCode;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::declared;
use crate::cli::{Common, output, who};
use crate::experiment::{ArmConfig, Config, Listed, Listing};
use crate::store::{ExperimentAction, ExperimentChange, Note};

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// How many changes, newest first; 0 means 100
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Only changes below this number, to read on
    #[arg(long, default_value_t = 0)]
    before: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct Set {
    /// What answers and logs call it
    name: String,
    /// With the unit, it decides the arm: a new one for each experiment, the same for its life
    #[arg(long)]
    salt: String,
    /// The channel that it takes over [default: serve.channel]
    #[arg(long)]
    channel: Option<String>,
    /// An arm, its weight and the channel that answers its units, which is called as the arm where none is named; given
    /// for each arm, weights add up to 1
    #[arg(long = "arm", value_name = "NAME=WEIGHT[@CHANNEL]", required = true)]
    arms: Vec<Arm>,
    /// The share of units that take part
    #[arg(long, default_value_t = 1.0)]
    traffic: f64,
    /// From here on: RFC 3339 [default: at once]
    #[arg(long)]
    start: Option<DateTime<Utc>>,
    /// Up to here: RFC 3339 [default: for good]
    #[arg(long)]
    end: Option<DateTime<Utc>>,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, clap::Args)]
pub(super) struct End {
    /// Its name
    name: String,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, clap::Args)]
struct Why {
    /// Why, kept with the change
    #[arg(long, default_value = "asked for on the command line")]
    why: String,
}

impl Why {
    fn note(self) -> Note {
        Note { who: who(), why: self.why }
    }
}

/// An arm as the command line names it.
#[derive(Clone, Debug)]
struct Arm(ArmConfig);

impl FromStr for Arm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Neither weights nor channels hold a `=`; names may.
        let (name, rest) = text.rsplit_once('=').ok_or("write it like fresh=0.5 or fresh=0.5@channel")?;
        let (weight, channel) = rest.split_once('@').unwrap_or((rest, name));
        let weight = weight.parse().map_err(|_| format!("`{weight}` is no weight: write it like fresh=0.5"))?;
        Ok(Self(ArmConfig { name: name.into(), weight, channel: channel.into() }))
    }
}

pub(super) fn set(common: &Common, args: Set) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let Set { name, salt, channel, arms, traffic, start, end, why } = args;
    let channel = channel.unwrap_or_else(|| config.serve.channel.clone());
    let arms = arms.into_iter().map(|arm| arm.0).collect();
    let experiment = Config { name, salt, channel, arms, traffic, start, end };
    told(common, &declared(&config)?.set(&experiment, &why.note())?)
}

pub(super) fn end(common: &Common, args: End) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    told(common, &declared(&config)?.end(&args.name, &args.why.note())?)
}

fn told(common: &Common, change: &ExperimentChange) -> anyhow::Result<ExitCode> {
    if common.json {
        output::json(change)?;
        return Ok(ExitCode::SUCCESS);
    }
    let what = match change.action {
        ExperimentAction::Set => "is set",
        ExperimentAction::End => "has ended",
    };
    output::line(format_args!("{} {what} (change {})", change.experiment, change.seq))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(common: &Common, args: &List) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let listing = declared(&config)?.list(args.limit, args.before)?;
    if common.json {
        output::json(&listing)?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["experiment", "source", "phase", "channel", "traffic", "arms", "start", "end", "salt"];
    let rows = listing.experiments.iter().map(row);
    output::columns(&std::iter::once(header.map(str::to_owned).to_vec()).chain(rows).collect::<Vec<_>>())?;
    for (name, why) in listing.experiments.iter().filter_map(|one| Some((&one.name, one.refused.as_ref()?))) {
        output::line(format_args!("{name} is refused: {why}"))?;
    }
    changes(&listing)?;
    Ok(ExitCode::SUCCESS)
}

fn row(listed: &Listed) -> Vec<String> {
    let mut row = vec![listed.name.clone(), listed.source.name().into(), listed.phase.name().into()];
    if let Some(config) = &listed.settings {
        let arm = |arm: &ArmConfig| format!("{}={}@{}", arm.name, arm.weight, arm.channel);
        let time = |at: Option<DateTime<Utc>>| at.map_or("open".into(), |at| at.to_rfc3339());
        let arms = config.arms.iter().map(arm).collect::<Vec<_>>().join(" ");
        let (start, end) = (time(config.start), time(config.end));
        row.extend([config.channel.clone(), config.traffic.to_string(), arms, start, end, config.salt.clone()]);
    }
    row
}

fn changes(listing: &Listing) -> anyhow::Result<()> {
    if listing.changes.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["change", "at", "action", "experiment", "who", "why"].map(str::to_owned).to_vec()];
    rows.extend(listing.changes.iter().map(|change| {
        let at = change.at.format("%F %T").to_string();
        let (seq, action, name) = (change.seq.to_string(), change.action.to_string(), change.experiment.clone());
        vec![seq, at, action, name, change.who.clone(), change.why.clone()]
    }));
    output::line("")?;
    Ok(output::columns(&rows)?)
}
