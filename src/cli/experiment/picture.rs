//! The picture of Figure 4, one for each metric: the relative difference to control by day, its interval shaded.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::chart::{Chart, Kind, Series, Theme, Value};
use crate::experiment::{Comparison, Difference, Report};

/// Writes each metric's picture beside `path`, whose name gets the metric as its ending where there are several.
pub(super) fn draw(report: &Report, path: &Path, theme: Theme) -> anyhow::Result<()> {
    let (Some(stem), Some(form)) = (path.file_stem(), path.extension().and_then(|form| form.to_str())) else {
        bail!("{} names no picture: write FILE.svg or FILE.png", path.display());
    };
    let charts = charts(report);
    for (ending, chart) in &charts {
        let ending = if charts.len() > 1 { ending } else { "" };
        let path = path.with_file_name(format!("{}{ending}.{form}", stem.to_string_lossy()));
        let bytes = match form {
            "svg" => chart.svg().into_bytes(),
            "png" => chart.png(theme)?,
            other => bail!("{} is a picture of the unknown form `{other}`: svg and png are drawn", path.display()),
        };
        fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// The pictures, each with the ending of its name.
fn charts(report: &Report) -> Vec<(String, Chart)> {
    let of_metric = |arms: &[Comparison]| {
        let first = arms.first()?;
        let chart = Chart {
            title: title(first, arms.len()),
            x: "day (UTC)".into(),
            y: format!("difference to {}, %", report.control),
            names: first.days.iter().map(|day| day.date.to_string()).collect(),
            series: arms.iter().map(series).collect(),
            kind: Kind::Lines,
        };
        Some((ending(&first.metric), chart))
    };
    report.metrics.chunk_by(|one, next| one.metric == next.metric).filter_map(of_metric).collect()
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

/// A metric's name, as one part of a file's.
fn ending(metric: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    format!("-{}", metric.chars().map(plain).collect::<String>())
}
