//! `segue evaluate stability` (Figure 3b, section 2.1).

use super::over::{Opened, Over};
use super::told::{Row, Told, estimate, numbers, row};
use crate::chart::{Chart, Kind, Series, Value};
use crate::cli::refresh::Shown;
use crate::config::Config;
use crate::evaluation::{Estimate, Jaccard};
use crate::refresh::Progress;
use crate::replay::{self, Drift, Identical, Neighbours, Null, Period, Pooled, SUPPORTS, Step};

/// Arguments of `segue evaluate stability`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) over: Over,
    /// Random deals of both windows' transitions that say how stable a log without drift would be; 0 deals none
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=1000))]
    pub(super) deals: u64,
}

pub(super) fn run(config: &Config, args: &Args) -> anyhow::Result<Told> {
    let result = crate::cli::runtime()?.block_on(measure(config, args))?;
    Ok(told(&result, args.over.by))
}

pub(super) async fn measure(config: &Config, args: &Args) -> anyhow::Result<Drift> {
    let Opened { log, stretch: Period { from, to }, .. } = args.over.open(config, None).await?;
    let mut shown = Shown::new();
    let mut show = |done, total, message| shown.show(&Progress { step: "count", done, total, message });
    let (step, deals) = (args.over.by, args.deals as usize);
    let result = replay::drift(&log, config.table.k, (from, to), step, deals, &mut show).await?;
    shown.bar.finish_and_clear();
    Ok(result)
}

pub(super) fn told(result: &Drift, step: Step) -> Told {
    let names: Vec<String> = result.periods.iter().map(|period| period.name(step)).collect();
    Told {
        kind: "stability",
        tables: [identical(result, &names), neighbours(result, step)]
            .into_iter()
            .chain(result.pooled.map(pooled))
            .collect(),
        notes: Vec::new(),
        csv: csv(result, &names, step),
        pictures: vec![("", top_sets(result, &names, step)), ("-jaccard", similarity(result, step))],
        result: serde_json::to_value(result).unwrap_or_default(),
    }
}

fn identical(result: &Drift, names: &[String]) -> Vec<Row> {
    let tops = result.identical.iter().map(|of| format!("same top {} as first", of.top));
    let header = ["window".to_owned(), "keys".to_owned()].into_iter().chain(tops).collect();
    let line = |(at, name): (usize, &String)| {
        let share = |of: &Identical| match at.checked_sub(1) {
            Some(at) => estimate(of.shares.get(at).copied().flatten()),
            None => String::new(),
        };
        let keys = result.keys.get(at).copied().unwrap_or(0);
        [name.clone(), keys.to_string()].into_iter().chain(result.identical.iter().map(share)).collect()
    };
    [header].into_iter().chain(names.iter().enumerate().map(line)).collect()
}

fn neighbours(result: &Drift, step: Step) -> Vec<Row> {
    let supports = SUPPORTS.map(|(.., name)| format!("seen {name}"));
    let fixed = ["window", "next", "keys of both", "mean Jaccard", "variance", "had nothing drifted"];
    let header = fixed.map(str::to_owned).into_iter().chain(supports).collect();
    let line = |of: &Neighbours| {
        let told = |jaccard: Option<Jaccard>| {
            jaccard.map_or("-".into(), |Jaccard { keys, mean, .. }| format!("{mean:.3} ({keys} keys)"))
        };
        let all = of.all.unwrap_or_default();
        let null = |null: Null| format!("{:.3} [{:.3}, {:.3}]", null.mean, null.interval().0, null.interval().1);
        let fixed = [
            of.earlier.name(step),
            of.later.name(step),
            all.keys.to_string(),
            of.all.map_or("-".into(), |of| format!("{:.3}", of.mean)),
            of.all.map_or("-".into(), |of| format!("{:.3}", of.variance)),
            of.null.map_or("-".into(), null),
        ];
        fixed.into_iter().chain(of.by_support.iter().copied().map(told)).collect()
    };
    [header].into_iter().chain(result.neighbours.iter().map(line)).collect()
}

/// All pairs together.
fn pooled(of: Pooled) -> Vec<Row> {
    let Pooled { pairs, mean, null, difference: Estimate { value, low, high } } = of;
    let cells = [
        pairs.to_string(),
        format!("{mean:.4}"),
        format!("{null:.4}"),
        format!("{value:+.4} [{low:+.4}, {high:+.4}]"),
        of.share().map_or("-".into(), |share| format!("{:+.1} %", 100.0 * share)),
    ];
    vec![row(["pairs", "mean Jaccard", "had nothing drifted", "difference", "share of it"]), cells.into()]
}

fn csv(result: &Drift, names: &[String], step: Step) -> Vec<Row> {
    let header = row(["window", "figure", "of", "keys", "value", "low", "high", "variance"]);
    let identical = result.identical.iter().flat_map(|of| {
        let shares = names.iter().skip(1).zip(&of.shares);
        shares.map(|(name, share)| {
            let fixed = [name.clone(), "identical top".into(), of.top.to_string(), String::new()];
            fixed.into_iter().chain(numbers(*share)).chain([String::new()]).collect::<Row>()
        })
    });
    let jaccard = result.neighbours.iter().flat_map(|of| {
        let name = of.later.name(step);
        let line = |support: &str, jaccard: Jaccard| {
            let Jaccard { keys, mean, variance } = jaccard;
            let (keys, mean, variance) = (keys.to_string(), mean.to_string(), variance.to_string());
            let none = String::new;
            vec![name.clone(), "jaccard".into(), support.into(), keys, mean, none(), none(), variance]
        };
        let supported = SUPPORTS.iter().zip(&of.by_support).map(|((.., support), jaccard)| (*support, *jaccard));
        let lines = [("all", of.all)].into_iter().chain(supported);
        let mut lines: Vec<Row> = lines.filter_map(|(support, jaccard)| Some(line(support, jaccard?))).collect();
        lines.extend(of.null.map(|null| {
            let ((low, high), none) = (null.interval(), String::new);
            let numbers = [null.mean, low, high].map(|number| number.to_string());
            [name.clone(), "jaccard without drift".into(), "all".into(), none()]
                .into_iter()
                .chain(numbers)
                .chain([none()])
                .collect()
        }));
        lines
    });
    let pooled = result.pooled.map(|of| {
        let fixed = ["all".to_owned(), "jaccard less that without drift".into(), "all".into(), String::new()];
        fixed.into_iter().chain(numbers(Some(of.difference))).chain([String::new()]).collect()
    });
    [header].into_iter().chain(identical).chain(jaccard).chain(pooled).collect()
}

/// Figure 3(b).
fn top_sets(result: &Drift, names: &[String], step: Step) -> Chart {
    let value =
        |share: &Option<Estimate>| share.map(|of| Value::within(100.0 * of.value, 100.0 * of.low, 100.0 * of.high));
    let series = |of: &Identical| Series {
        name: format!("top {}", of.top),
        values: [Some(Value::exact(100.0))].into_iter().chain(of.shares.iter().map(value)).collect(),
    };
    Chart {
        title: format!("Keys whose top successors are those of the first {step}, with 95 % intervals"),
        x: step.to_string(),
        y: "keys with the same set (%)".into(),
        names: names.to_vec(),
        series: result.identical.iter().map(series).collect(),
        kind: Kind::Lines,
    }
}

fn similarity(result: &Drift, step: Step) -> Chart {
    let measured = |of: &Neighbours| {
        let Jaccard { keys, mean, variance } = of.all?;
        let half = 1.96 * (variance / keys as f64).sqrt();
        Some(Value::within(mean, mean - half, mean + half))
    };
    let null = |of: &Neighbours| {
        let null = of.null?;
        Some(Value::within(null.mean, null.interval().0, null.interval().1))
    };
    let values = |of: &dyn Fn(&Neighbours) -> Option<Value>| result.neighbours.iter().map(of).collect();
    Chart {
        title: format!("Similarity of top-5 successors, each {step} beside the one before"),
        x: step.to_string(),
        y: "mean Jaccard similarity".into(),
        names: result.neighbours.iter().map(|of| of.later.name(step)).collect(),
        series: vec![
            Series { name: "measured".into(), values: values(&measured) },
            Series { name: "had nothing drifted".into(), values: values(&null) },
        ],
        kind: Kind::Lines,
    }
}
