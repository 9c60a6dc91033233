//! `segue refresh backtest`: how often is it worth refreshing?

use std::process::ExitCode;

use super::over::{Asked, Opened, Over};
use super::told::{Outputs, Row, Told, estimate, numbers, row};
use crate::chart::{Chart, Kind, Series, Value};
use crate::cli::refresh::Shown;
use crate::cli::{Common, decisions};
use crate::config::Config;
use crate::refresh::Progress;
use crate::replay::{self, BackTest, Decided, Policy, Replayed, Step, Weighing};

/// Arguments of `segue refresh backtest`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    over: Over,
    /// What is compared: fixed:DAYSd, adaptive (by [evaluation.cadence]), on_demand (the first table stays)
    #[arg(long, value_delimiter = ',', default_value = "fixed:1d,fixed:7d,adaptive")]
    policies: Vec<Policy>,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    outputs: Outputs,
}

pub(in crate::cli) fn run(common: &Common, args: &Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    args.outputs.told(common, &config, || {
        let result = crate::cli::runtime()?.block_on(measure(&config, args))?;
        Ok(told(&result, args.over.by))
    })
}

async fn measure(config: &Config, args: &Args) -> anyhow::Result<BackTest> {
    let Opened { log, taxonomy, stretch } = args.over.open(config, Some(args.asked.window(config))).await?;
    let settings = args.asked.settings(config, stretch, args.over.by);
    let weighing = Weighing { cadence: config.evaluation.cadence.clone(), retrieval: config.retrieval.clone() };
    let mut shown = Shown::new();
    let mut show = |done, total, message| shown.show(&Progress { step: "replay", done, total, message });
    let result = replay::backtest(&log, &taxonomy, &settings, &weighing, &args.policies, &mut show).await?;
    shown.bar.finish_and_clear();
    Ok(result)
}

fn told(result: &BackTest, step: Step) -> Told {
    let names: Vec<String> = result.periods.iter().map(|period| period.name(step)).collect();
    Told {
        kind: "backtest",
        tables: vec![policies(result), decisions(result)].into_iter().filter(|table| table.len() > 1).collect(),
        notes: Vec::new(),
        csv: csv(result),
        pictures: vec![
            ("", rates(result, &names, step)),
            ("-refreshes", bars(result, "Refreshes after the first", "refreshes", |of| of.refreshes.len() as f64)),
            ("-calls", bars(result, "LLM calls after the first refresh", "LLM calls", |of| of.calls as f64)),
            ("-cost", bars(result, "Cost of refreshes after the first", "cost", |of| of.cost)),
        ],
        result: serde_json::to_value(result).unwrap_or_default(),
    }
}

fn policies(result: &BackTest) -> Vec<Row> {
    let n = result.n;
    let first = result.policies.first().map_or("", |of| &of.rates.name);
    let more = format!("@{n} more than {first}");
    let fixed = ["policy", "positions", "served@1", &format!("served@{n}"), &more];
    let header = row(fixed).into_iter().chain(row(["refreshes", "LLM calls", "for the first table", "cost"]));
    let line = |of: &Replayed| {
        let overall = &of.rates.overall;
        let over = of.over_first.as_ref().map(|over| over.served_n);
        vec![
            of.rates.name.clone(),
            overall.positions.to_string(),
            estimate(Some(overall.served_1)),
            estimate(Some(overall.served_n)),
            estimate(over),
            of.refreshes.len().to_string(),
            of.calls.to_string(),
            of.first_calls.to_string(),
            format!("{:.2}", of.cost),
        ]
    };
    [header.collect()].into_iter().chain(result.policies.iter().map(line)).collect()
}

/// What the adaptive policy decided, day by day.
fn decisions(result: &BackTest) -> Vec<Row> {
    let decided = result.policies.iter().flat_map(|of| &of.decisions);
    decisions::columns(decided.map(|Decided { at, decision }| (*at, decision)))
}

fn csv(result: &BackTest) -> Vec<Row> {
    let counts = ["policy", "positions", "refreshes", "calls", "first_calls", "cost"];
    let figures = ["n", "value", "low", "high"];
    let header = row(counts).into_iter().chain(row(figures)).collect();
    let lines = |of: &Replayed| {
        let overall = &of.rates.overall;
        let counts = [overall.positions, of.refreshes.len() as u64, of.calls, of.first_calls].map(|of| of.to_string());
        let counts: Row = [of.rates.name.clone()].into_iter().chain(counts).chain([of.cost.to_string()]).collect();
        let figure =
            |(n, rate): (usize, _)| [counts.clone(), vec![n.to_string()], numbers(Some(rate)).to_vec()].concat();
        [(1, overall.served_1), (result.n, overall.served_n)].map(figure)
    };
    [header].into_iter().chain(result.policies.iter().flat_map(lines)).collect()
}

fn rates(result: &BackTest, names: &[String], step: Step) -> Chart {
    let percent = |scores: &Option<replay::Scores>| {
        let of = scores.as_ref()?.served_n;
        Some(Value::within(100.0 * of.value, 100.0 * of.low, 100.0 * of.high))
    };
    let series = |of: &Replayed| Series {
        name: format!("{} ({} refreshes)", of.rates.name, of.refreshes.len()),
        values: of.rates.periods.iter().map(percent).collect(),
    };
    Chart {
        title: format!("Hit rate@{} of what is served, by {step}, with 95 % intervals over users", result.n),
        x: step.to_string(),
        y: format!("hit rate@{} (%)", result.n),
        names: names.to_vec(),
        series: result.policies.iter().map(series).collect(),
        kind: Kind::Lines,
    }
}

fn bars(result: &BackTest, title: &str, what: &str, of: impl Fn(&Replayed) -> f64) -> Chart {
    let values = result.policies.iter().map(|policy| Some(Value::exact(of(policy)))).collect();
    Chart {
        title: title.into(),
        x: "policy".into(),
        y: what.into(),
        names: result.policies.iter().map(|of| of.rates.name.clone()).collect(),
        series: vec![Series { name: what.into(), values }],
        kind: Kind::Bars,
    }
}
