//! The tables and pictures of it.

use serde_json::json;

use super::summary::{InWorld, Line, Summary};
use super::worlds::Run;
use crate::chart::{Chart, Kind, Series, Value};
use crate::cli::evaluate::told::{Row, Told, row};
use crate::evaluation::Estimate;

pub(super) fn told(summary: &Summary, runs: &[Run], window: &str, n: u64) -> Told {
    Told {
        kind: "cadence",
        tables: vec![by_world(summary, n), overall(summary, window)],
        notes: Vec::new(),
        csv: csv(runs),
        pictures: vec![
            (
                "",
                bars(summary, format!("Hit rate@{n} below the daily policy's"), "below daily (%)", |world| {
                    let Estimate { value, low, high } = world.relative_n?;
                    let [value, low, high] = [value, high, low].map(|share| 100.0 * (1.0 - share));
                    Some(Value::within(value, low, high))
                }),
            ),
            (
                "-refreshes",
                bars(summary, "Refreshes after the first table".into(), "refreshes", |world| {
                    Some(Value::exact(world.refreshes))
                }),
            ),
            ("-sudden", sudden(summary, n)),
        ],
        result: json!({ "n": n, "window": window, "summary": summary, "runs": runs }),
    }
}

fn by_world(summary: &Summary, n: u64) -> Vec<Row> {
    let relative = [format!("@{n} beside daily"), "@1 beside daily".into()];
    let header = row(["world", "policy"]).into_iter().chain(relative).chain(row(["refreshes", "LLM calls"]));
    let worlds = summary.policies.first().map_or(0, |line| line.worlds.len());
    let line = |nth: usize, line: &Line| {
        let of = &line.worlds[nth];
        let names = row([of.world, &line.policy]);
        let shares = [of.relative_n, of.relative_1].map(beside);
        let counts = [format!("{:.1}", of.refreshes), format!("{:.0}", of.calls)];
        names.into_iter().chain(shares).chain(counts).collect()
    };
    let lines = (0..worlds).flat_map(|nth| summary.policies.iter().map(move |of| line(nth, of)));
    [header.collect()].into_iter().chain(lines).collect()
}

/// How far a share lies from the whole.
fn beside(share: Option<Estimate>) -> String {
    let percent = |share: f64| 100.0 * (share - 1.0);
    let told =
        |of: Estimate| format!("{:+.2} % [{:+.2}, {:+.2}]", percent(of.value), percent(of.low), percent(of.high));
    share.map_or("-".into(), told)
}

fn overall(summary: &Summary, window: &str) -> Vec<Row> {
    let recovery = format!("days to recover (window {window})");
    let header = row(["policy", "holds in all", "refreshes in all", &recovery, "of the cheapest fixed that holds"]);
    let cheapest = summary.cheapest_fixed.as_deref();
    let fewest = summary.policies.iter().find(|line| Some(line.policy.as_str()) == cheapest && line.refreshes > 0.0);
    let of_fewest =
        |line: &Line| fewest.map_or("-".into(), |fewest| format!("{:.0} %", 100.0 * line.refreshes / fewest.refreshes));
    let line = |line: &Line| {
        vec![
            line.policy.clone(),
            if line.holds { "yes" } else { "no" }.into(),
            format!("{:.1}", line.refreshes),
            line.recovery.map_or("-".into(), |days| days.to_string()),
            of_fewest(line),
        ]
    };
    [header].into_iter().chain(summary.policies.iter().map(line)).collect()
}

fn csv(runs: &[Run]) -> Vec<Row> {
    let header = row(["world", "seed", "policy", "served_1", "served_n", "refreshes", "calls"]);
    let line = |run: &Run| {
        let figures = [run.served_1, run.served_n].map(|rate| rate.to_string());
        let counts = [run.refreshes.to_string(), run.calls.to_string()];
        let names = [run.world.to_owned(), run.seed.to_string(), run.policy.clone()];
        names.into_iter().chain(figures).chain(counts).collect()
    };
    [header].into_iter().chain(runs.iter().map(line)).collect()
}

fn bars(summary: &Summary, title: String, y: &str, value: impl Fn(&InWorld) -> Option<Value>) -> Chart {
    let worlds = summary.policies.first().map_or(&[][..], |line| &line.worlds);
    let series = |(nth, world): (usize, &InWorld)| Series {
        name: world.world.to_owned(),
        values: summary.policies.iter().map(|line| value(&line.worlds[nth])).collect(),
    };
    Chart {
        title,
        x: "policy".into(),
        y: y.into(),
        names: summary.policies.iter().map(|line| line.policy.clone()).collect(),
        series: worlds.iter().enumerate().map(series).collect(),
        kind: Kind::Bars,
    }
}

/// How the daily, the cheapest fixed and the adaptive policy come through a sudden change.
fn sudden(summary: &Summary, n: u64) -> Chart {
    let (first, last) = (summary.policies.first(), summary.policies.last());
    let is_drawn = |line: &&Line| {
        let is = |other: Option<&str>| other == Some(line.policy.as_str());
        is(summary.cheapest_fixed.as_deref()) || [first, last].iter().any(|of| is(of.map(|of| of.policy.as_str())))
    };
    let daily = |line: &Line| {
        let world = line.worlds.iter().find(|world| world.world == "sudden");
        let values = world.map_or(&[][..], |world| &world.daily);
        values.iter().map(|rate| rate.map(|rate| Value::exact(100.0 * rate))).collect::<Vec<_>>()
    };
    let series: Vec<Series> = (summary.policies.iter().filter(is_drawn))
        .map(|line| Series { name: line.policy.clone(), values: daily(line) })
        .collect();
    let days = series.iter().map(|series| series.values.len()).max().unwrap_or_default();
    Chart {
        title: format!("Hit rate@{n} through a sudden change"),
        x: "day".into(),
        y: format!("hit rate@{n} (%)"),
        names: (0..days).map(|day| day.to_string()).collect(),
        series,
        kind: Kind::Lines,
    }
}
