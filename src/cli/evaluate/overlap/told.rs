//! Two versions beside each other, told.

use super::{Compared, Drawn, Repeat};
use crate::chart::{Chart, Kind, Series, Value};
use crate::cli::evaluate::told::{Row, Told, estimate, numbers, row};
use crate::evaluation::{Estimate, Origin, Overlap};

/// A figure with its name.
struct Figure {
    name: String,
    /// Keys that it is of.
    keys: u64,
    value: Of,
}

enum Of {
    /// A share of the keys.
    Share(Option<Estimate>),
    /// A difference of shares.
    Difference(f64),
}

fn figures(of: &Compared) -> Vec<Figure> {
    let Compared { first, second, .. } = of;
    let share = |name: String, keys: u64, share| Figure { name, keys, value: Of::Share(share) };
    let named = |Repeat { version, overlap, identical }: &Repeat| {
        share(format!("{first} and its repeat {version} identical"), overlap.keys, *identical)
    };
    let mut figures = vec![share(format!("{first} and {second} identical"), of.overlap.keys, of.identical)];
    figures.extend(of.repeats.iter().map(named));
    if let Some(Origin { keys, context, new }) = of.origin {
        figures.push(share(format!("{second} says what its prompt showed"), keys, Estimate::share(context, keys)));
        figures.push(share(format!("{second} says what neither has"), keys, Estimate::share(new, keys)));
    }
    let net = |net| Figure { name: "change beyond noise".into(), keys: of.overlap.keys, value: Of::Difference(net) };
    figures.extend(of.net.map(net));
    figures
}

/// Keys that are compared with nothing.
fn left_out(of: &Compared) -> [(String, u64); 3] {
    let Overlap { only_first, only_second, fell_back, .. } = of.overlap;
    [
        (format!("keys of {} alone", of.first), only_first),
        (format!("keys of {} alone", of.second), only_second),
        ("keys that fell back, not compared".into(), fell_back),
    ]
}

pub(in crate::cli::evaluate) fn told(of: &Compared) -> Told {
    let figures = figures(of);
    Told {
        kind: "overlap",
        tables: vec![table(of, &figures)],
        notes: Vec::new(),
        csv: csv(of, &figures),
        pictures: vec![("", chart(of, &figures))],
        result: serde_json::to_value(of).unwrap_or_default(),
    }
}

fn table(of: &Compared, figures: &[Figure]) -> Vec<Row> {
    let told = |Figure { name, keys, value }: &Figure| {
        let value = match value {
            Of::Share(share) => estimate(*share),
            Of::Difference(difference) => {
                let (change, noise) = (of.change.unwrap_or_default(), of.noise.unwrap_or_default());
                let said = format!("{:.1} % changed, {:.1} % do from run to run", 100.0 * change, 100.0 * noise);
                format!("{said}: {:+.1} points", 100.0 * difference)
            }
        };
        vec![name.clone(), keys.to_string(), value]
    };
    let said = |name: &str, says: String| vec![name.to_owned(), String::new(), says];
    let drawn = of.drawn.as_ref().map(|Drawn { temperature, seeds }| {
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        said("repeats were drawn", format!("at temperature {temperature}, with the seeds {}", seeds.join(", ")))
    });
    let differ = (!of.differ_in.is_empty()).then(|| said("the two differ in", of.differ_in.join(", ")));
    [row(["answers", "keys", "share"])]
        .into_iter()
        .chain(figures.iter().map(told))
        .chain(left_out(of).map(|(name, keys)| vec![name, keys.to_string(), String::new()]))
        .chain(drawn)
        .chain(differ)
        .collect()
}

fn csv(of: &Compared, figures: &[Figure]) -> Vec<Row> {
    let line = |Figure { name, keys, value }: &Figure| {
        let value = match value {
            Of::Share(share) => numbers(*share),
            Of::Difference(difference) => [difference.to_string(), String::new(), String::new()],
        };
        [name.clone(), keys.to_string()].into_iter().chain(value).collect()
    };
    let count = |(name, keys): (String, u64)| {
        [name, keys.to_string()].into_iter().chain([const { String::new() }; 3]).collect()
    };
    [row(["figure", "keys", "value", "low", "high"])]
        .into_iter()
        .chain(figures.iter().map(line))
        .chain(left_out(of).map(count))
        .collect()
}

fn chart(of: &Compared, figures: &[Figure]) -> Chart {
    let value = |of: &Of| match of {
        Of::Share(share) => share.map(|of| Value::within(100.0 * of.value, 100.0 * of.low, 100.0 * of.high)),
        Of::Difference(difference) => Some(Value::exact(100.0 * difference)),
    };
    // Names are long: each bar is a series of its own, told by the legend.
    let series = figures.iter().enumerate().map(|(at, figure)| Series {
        name: figure.name.clone(),
        values: (0..figures.len()).map(|place| value(&figure.value).filter(|_| place == at)).collect(),
    });
    Chart {
        title: format!("Answers of {} beside {}, with 95 % intervals", of.second, of.first),
        x: "comparison".into(),
        y: "keys (%)".into(),
        names: (1..=figures.len()).map(|nth| nth.to_string()).collect(),
        series: series.collect(),
        kind: Kind::Bars,
    }
}
