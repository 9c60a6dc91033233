//! The picture of Figure 4, one for each metric: the relative difference to control by day, its interval shaded.

use crate::chart::{Chart, Kind, Series, Value};
use crate::cli::picture::Target;
use crate::experiment::{Comparison, Difference, Report};

/// Draws each metric's picture, whose name gets the metric as its ending where there are several.
pub(super) fn draw(report: &Report, target: &Target<'_>) -> anyhow::Result<()> {
    let charts = charts(report);
    let endings = endings(charts.iter().map(|(metric, _)| *metric));
    for ((_, chart), ending) in charts.iter().zip(&endings) {
        target.draw(if charts.len() > 1 { ending } else { "" }, chart)?;
    }
    Ok(())
}

/// The pictures, each with its metric.
fn charts(report: &Report) -> Vec<(&str, Chart)> {
    let of_metrics = report.metrics.chunk_by(|one, next| one.metric == next.metric);
    of_metrics.filter_map(|arms| chart(&report.control, arms)).collect()
}

/// One metric's.
fn chart<'r>(control: &str, arms: &'r [Comparison]) -> Option<(&'r str, Chart)> {
    let first = arms.first()?;
    let chart = Chart {
        title: title(first, arms.len()),
        x: "day (UTC)".into(),
        y: format!("difference to {control}, %"),
        names: first.days.iter().map(|day| day.date.to_string()).collect(),
        series: arms.iter().map(series).collect(),
        kind: Kind::Lines,
    };
    Some((&first.metric, chart))
}

/// With the overall difference, as the figure's caption tells it, where there is one.
fn title(comparison: &Comparison, arms: usize) -> String {
    match (comparison.overall.percent, comparison.overall.interval) {
        (Some(percent), Some((low, high))) if arms == 1 => {
            format!("{}: {percent:+.2} % [{low:.2}, {high:.2}] overall", comparison.metric)
        }
        _ => comparison.metric.clone(),
    }
}

fn series(comparison: &Comparison) -> Series {
    let value = |at: &Difference| {
        let within = at.interval.map(|(low, high)| move |value| Value::within(value, low, high));
        at.percent.map(|percent| within.map_or(Value::exact(percent), |within| within(percent)))
    };
    Series { name: comparison.arm.clone(), values: comparison.days.iter().map(|day| value(&day.day)).collect() }
}

/// Metrics' names, as parts of files' names; where two would be the same, the later one gets a number.
fn endings<'m>(metrics: impl Iterator<Item = &'m str>) -> Vec<String> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let mut endings: Vec<String> = Vec::new();
    for metric in metrics {
        let plain = format!("-{}", metric.chars().map(plain).collect::<String>());
        let numbered = (2_usize..).map(|number| format!("{plain}-{number}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|ending| !endings.contains(ending));
        endings.extend(free);
    }
    endings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_metrics_share_a_name() {
        let names = ["likes %", "likes ?", "likes--2", "Likes !", "likes"];
        assert_eq!(endings(names.into_iter()), ["-likes--", "-likes---2", "-likes--2", "-likes---3", "-likes"]);
        assert_eq!(endings(["a-b", "a b", "a-b-2"].into_iter()), ["-a-b", "-a-b-2", "-a-b-2-2"]);
    }
}
