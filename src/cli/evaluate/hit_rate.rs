//! `segue evaluate hit-rate` (Figure 3a).

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};

use super::over::{Asked, Opened, Over};
use super::told::{Row, Told, estimate, numbers, percent, row};
use super::versions::Named;
use crate::chart::{Chart, Kind, Series, Value};
use crate::cli::refresh::Shown;
use crate::config::Config;
use crate::evaluation::Estimate;
use crate::refresh::Progress;
use crate::replay::{self, CutShort, HitRate, Level, Rates, Scores, Settings, Step};
use crate::store::Store;

/// Arguments of `segue evaluate hit-rate`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) over: Over,
    /// What is compared: retrieved:STEP or popular:STEP (counted anew every STEP), retrieved:held or popular:held
    /// (counted once), retrieved:2026-01-31 (counted on that day), retrieved:STEP:200+30 (only of keys seen that often:
    /// of one cluster, of two), random, version:3 or version:3+5 of the store, channel:NAME
    #[arg(long, value_delimiter = ',', default_value = "retrieved:2d,retrieved:held,popular:2d,random")]
    pub(super) versions: Vec<Named>,
    #[command(flatten)]
    pub(super) asked: Asked,
    /// Count and ask everyone, each about what comes later than all that is counted, instead of holding users out
    #[arg(long)]
    pub(super) everyone: bool,
    /// Ask for targets outside the so many clusters that were the most popular before the start
    #[arg(long, default_value_t = 0)]
    pub(super) beyond: u32,
}

impl Args {
    /// Everyone counted and asked; the rest as by default.
    pub(super) fn everyone(over: Over, versions: Vec<Named>, window: Step, resamples: u64) -> Self {
        let horizon = Duration::from_secs(7 * 24 * 60 * 60);
        let asked = Asked { window: Some(window), limit: 5, horizon, resamples };
        Self { over, versions, asked, everyone: true, beyond: 0 }
    }
}

pub(super) fn run(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let result = crate::cli::runtime()?.block_on(measure(config, args))?;
    Ok(told(&result, args.over.by))
}

pub(super) async fn measure(config: &Config, args: &Args) -> anyhow::Result<HitRate> {
    let store = || Ok(Store::open(&config.store)?);
    let compared = args.versions.iter().map(|named| named.open(store)).collect::<anyhow::Result<Vec<_>>>()?;
    let Opened { log, taxonomy, stretch } = args.over.open(config, Some(args.asked.window(config))).await?;
    let settings = args.asked.settings(config, stretch, args.over.by);
    let held_out = settings.held_out.filter(|_| !args.everyone);
    let settings = Settings { held_out, beyond: args.beyond as usize, ..settings };
    let mut shown = Shown::new();
    let mut show = |done, total, message| shown.show(&Progress { step: "replay", done, total, message });
    let result = replay::hit_rate(&log, &taxonomy, &settings, &compared, &mut show).await?;
    shown.bar.finish_and_clear();
    Ok(result)
}

pub(super) fn told(result: &HitRate, step: Step) -> Told {
    let names: Vec<String> = result.periods.iter().map(|period| period.name(step)).collect();
    Told {
        kind: "hit-rate",
        tables: vec![overall(result), by_period(result, &names), by_level(result), differences(result)],
        notes: cut_short(result).into_iter().collect(),
        csv: csv(result, &names),
        pictures: vec![
            ("", chart(result, &names, step, 1, |scores| scores.served_1)),
            ("-n", chart(result, &names, step, result.n, |scores| scores.served_n)),
        ],
        result: serde_json::to_value(result).unwrap_or_default(),
    }
}

/// Said where some positions' horizons reach behind the log's end.
fn cut_short(result: &HitRate) -> Option<String> {
    let CutShort { newest, positions } = result.cut_short;
    let horizon = TimeDelta::seconds(result.horizon);
    let whole = newest.checked_sub_signed(horizon).map_or(String::new(), |to| {
        format!("; --to {} leaves them out", to.to_rfc3339_opts(SecondsFormat::Secs, true))
    });
    let days = humantime::format_duration(horizon.to_std().unwrap_or_default());
    (positions > 0).then(|| {
        let of = result.versions.first().map_or(0, |version| version.overall.positions);
        format!(
            "{positions} of {of} positions lie less than {days} before the log's newest event, {}: what came true behind it \
             is not known and counts as a miss{whole}",
            newest.to_rfc3339_opts(SecondsFormat::Secs, true)
        )
    })
}

fn overall(result: &HitRate) -> Vec<Row> {
    let n = result.n;
    let header =
        ["version", "users", "positions", "table@1", &format!("table@{n}"), "served@1", &format!("served@{n}")];
    let line = |Rates { name, overall: of, .. }: &Rates| {
        let counts = [name.clone(), of.users.to_string(), of.positions.to_string()];
        let rates = [of.table_1, of.table_n, Some(of.served_1), Some(of.served_n)].map(estimate);
        counts.into_iter().chain(rates).collect()
    };
    [row(header)].into_iter().chain(result.versions.iter().map(line)).collect()
}

fn by_period(result: &HitRate, names: &[String]) -> Vec<Row> {
    let header = |of: &Rates| format!("{} @1, @{}", of.name, result.n);
    let header = ["period".to_owned(), "positions".to_owned()].into_iter().chain(result.versions.iter().map(header));
    let line = |(at, name): (usize, &String)| {
        let scores = result.versions.iter().map(|version| version.periods[at].as_ref());
        let positions = scores.clone().flatten().next().map_or(0, |scores| scores.positions);
        let rates = |scores: Option<&Scores>| match scores {
            Some(scores) => format!("{}, {}", percent(scores.served_1.value), percent(scores.served_n.value)),
            None => "-".to_owned(),
        };
        [name.clone(), positions.to_string()].into_iter().chain(scores.map(rates)).collect()
    };
    [header.collect()].into_iter().chain(names.iter().enumerate().map(line)).collect()
}

fn by_level(result: &HitRate) -> Vec<Row> {
    let header = ["version", "longest key found", "positions", "served@1", &format!("served@{}", result.n)];
    let line = |version: &Rates, (level, of): (usize, &Level)| {
        let name = if level == 0 { "none: popular".to_owned() } else { level.to_string() };
        vec![version.name.clone(), name, of.positions.to_string(), estimate(of.served_1), estimate(of.served_n)]
    };
    let lines = result
        .versions
        .iter()
        .flat_map(|version| version.levels.iter().enumerate().rev().map(move |level| line(version, level)));
    [row(header)].into_iter().chain(lines).collect()
}

fn differences(result: &HitRate) -> Vec<Row> {
    let header = ["served hit rate of", "less that of", "@1", &format!("@{}", result.n)];
    let lines = result.differences.iter().map(|of| {
        vec![of.version.clone(), of.against.clone(), estimate(Some(of.served_1)), estimate(Some(of.served_n))]
    });
    [row(header)].into_iter().chain(lines).collect()
}

fn csv(result: &HitRate, names: &[String]) -> Vec<Row> {
    let header = row(["version", "period", "users", "positions", "figure", "n", "value", "low", "high"]);
    let lines = |version: &Rates| {
        let periods = names.iter().map(String::as_str).zip(version.periods.iter().map(Option::as_ref));
        let scored = [("all", Some(&version.overall))].into_iter().chain(periods);
        let lines = scored.filter_map(|(period, scores)| Some((period, scores?))).flat_map(|(period, scores)| {
            let figures = [
                ("table", 1, scores.table_1),
                ("table", result.n, scores.table_n),
                ("served", 1, Some(scores.served_1)),
                ("served", result.n, Some(scores.served_n)),
            ];
            figures.into_iter().filter(|(.., estimate)| estimate.is_some()).map(move |(figure, n, estimate)| {
                let counts = [period.to_owned(), scores.users.to_string(), scores.positions.to_string()];
                let figure = [figure.to_owned(), n.to_string()];
                counts.into_iter().chain(figure).chain(numbers(estimate)).collect::<Row>()
            })
        });
        let levels = version.levels.iter().enumerate().flat_map(|(level, of)| {
            let figures = [(1, of.served_1), (result.n, of.served_n)];
            figures.into_iter().filter(|(_, estimate)| estimate.is_some()).map(move |(n, estimate)| {
                let figure = format!("served where the longest key found has {level}");
                let counts = ["all".to_owned(), String::new(), of.positions.to_string(), figure, n.to_string()];
                counts.into_iter().chain(numbers(estimate)).collect::<Row>()
            })
        });
        lines.chain(levels).map(|line| [vec![version.name.clone()], line].concat()).collect::<Vec<_>>()
    };
    let differences = result.differences.iter().flat_map(|of| {
        [(1, of.served_1), (result.n, of.served_n)].map(|(n, estimate)| {
            let figure = format!("served less that of {}", of.against);
            let named = [of.version.clone(), "all".to_owned(), String::new(), String::new(), figure, n.to_string()];
            named.into_iter().chain(numbers(Some(estimate))).collect()
        })
    });
    [header].into_iter().chain(result.versions.iter().flat_map(lines)).chain(differences).collect()
}

fn chart(result: &HitRate, names: &[String], step: Step, n: usize, rate: fn(&Scores) -> Estimate) -> Chart {
    let value = |scores: &Option<Scores>| {
        let Estimate { value, low, high } = rate(scores.as_ref()?);
        Some(Value::within(100.0 * value, 100.0 * low, 100.0 * high))
    };
    let series =
        |version: &Rates| Series { name: version.name.clone(), values: version.periods.iter().map(value).collect() };
    Chart {
        title: format!("Hit rate@{n} of what is served, by {step}, with 95 % intervals over users"),
        x: step.to_string(),
        y: format!("hit rate@{n} (%)"),
        names: names.to_vec(),
        series: result.versions.iter().map(series).collect(),
        kind: Kind::Lines,
    }
}
