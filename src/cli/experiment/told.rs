//! An analysis, told: tables for people, CSV for programs, and what was left out.

use std::fs;
use std::path::Path;

use crate::cli::output;
use crate::experiment::{Comparison, Day, Difference, Report, Values};

/// Tells what was not measured; silent about what there was nothing of.
pub(super) fn left_out(report: &Report) {
    let (logs, met) = (&report.logs, &report.met);
    output::note(format_args!(
        "{} exposures, {} outcomes measured, {} from before to adjust by",
        logs.exposures, met.outcomes_measured, met.outcomes_before
    ));
    for (count, what) in [
        (logs.exposures_bad, "exposures without a unit or a readable time: left out"),
        (logs.exposures_repeated, "exposures written twice: counted once"),
        (logs.exposures_at_other_times, "exposures outside the experiment's time: left out"),
        (met.units_in_two_arms, "units in two arms: left out"),
        (met.units_of_unknown_arms, "units of arms that the experiment does not have: left out"),
        (met.outcomes_of_units_left_out, "outcomes of those units: left out"),
        (met.units_without_outcomes, "units did nothing after their exposure: counted, with zeros"),
        (met.units_exposed_later, "units exposed after the last day of outcomes: in the sample ratio, in no metric"),
        (logs.outcomes_bad, "outcomes without a unit, a readable time or readable values: left out"),
        (met.outcomes_repeated, "outcomes equal to another in every column: counted once"),
        (logs.outcomes_of_unexposed_units, "outcomes of units that were never exposed: left out"),
        (
            met.outcomes_before_exposure,
            "outcomes from before their unit's exposure, while others were exposed: left out",
        ),
        (met.outcomes_at_other_times, "outcomes of other times: left out"),
    ] {
        if count > 0 {
            output::note(format_args!("  {count} {what}"));
        }
    }
}

pub(super) fn mismatch(report: &Report) -> String {
    let ratio = &report.sample_ratio;
    let arms = report.arms.iter().zip(&ratio.units).zip(&ratio.expected);
    let arms = arms.map(|((arm, units), expected)| format!("{arm} has {units} units, {expected:.1} expected"));
    format!(
        "\nSAMPLE RATIO MISMATCH (p = {:.2e}): {}.\nUnits are lost or added on their way, so that the arms do not \
         compare like with like. NOTHING IS READ. Look for an arm whose channel has no table, exposures that were \
         dropped (segue_exposures_dropped_total), weights or a salt that changed while it ran, an incomplete log.",
        ratio.p_value,
        arms.collect::<Vec<_>>().join("; ")
    )
}

pub(super) fn print(report: &Report) -> std::io::Result<()> {
    let ratio = &report.sample_ratio;
    output::line(format_args!("experiment {}, {} days from {}", report.experiment, report.days, report.from))?;
    let mut rows = vec![["arm", "units", "expected"].map(str::to_owned).to_vec()];
    for ((arm, units), expected) in report.arms.iter().zip(&ratio.units).zip(&ratio.expected) {
        rows.push(vec![arm.clone(), units.to_string(), format!("{expected:.1}")]);
    }
    output::columns(&rows)?;
    output::line(format_args!("sample ratio: p = {:.3}", ratio.p_value))?;
    for comparison in &report.metrics {
        output::line("")?;
        print_comparison(report, comparison)?;
    }
    Ok(())
}

fn print_comparison(report: &Report, comparison: &Comparison) -> std::io::Result<()> {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.6}"));
    let (of, to) = (number(comparison.in_arm), number(comparison.in_control));
    let (metric, arm, control) = (&comparison.metric, &comparison.arm, &report.control);
    output::line(format_args!("{metric}: {arm} {of}, {control} {to}"))?;
    let header = ["", "difference", "95 % interval", "p", "however often one looks"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(comparison.days.iter().map(|day| row(day.date.to_string(), &day.day, &day.so_far)));
    rows.push(row("overall".into(), &comparison.overall, &comparison.overall));
    let adjusted = |day: &Day| Some(row(day.date.to_string(), &day.day_adjusted?, &day.so_far_adjusted?));
    if let Some(overall) = &comparison.adjusted {
        rows.push(vec!["adjusted (CUPED)".into()]);
        rows.extend(comparison.days.iter().filter_map(adjusted));
        rows.push(row("overall".into(), overall, overall));
    }
    output::columns(&rows)
}

/// One line; the always-valid interval is that of all until then.
fn row(what: String, at: &Difference, so_far: &Difference) -> Vec<String> {
    let ends = |ends: Option<(f64, f64)>| ends.map_or("-".into(), |(low, high)| format!("[{low:+.2} %, {high:+.2} %]"));
    let difference = match (at.percent, at.problem) {
        (Some(percent), _) => format!("{percent:+.3} %"),
        (None, problem) => problem.map_or("-".into(), |problem| problem.to_string()),
    };
    let p_value = match at.p_value {
        Some(p) if p < 0.000_05 => "<0.0001".to_owned(),
        p => p.map_or("-".into(), |p| format!("{p:.4}")),
    };
    vec![what, difference, ends(at.interval), p_value, ends(so_far.always_valid)]
}

const CSV_HEADER: [&str; 14] = [
    "metric",
    "arm",
    "when",
    "value",
    "units",
    "control_value",
    "control_units",
    "percent",
    "low",
    "high",
    "p_value",
    "always_low",
    "always_high",
    "problem",
];

/// One row for each metric, arm and day, one for all until then (`to` the day), and one for all days (`overall`), each plain
/// and, where there is a time before, `adjusted`; before them one for each
/// arm's units in the sample ratio, whose `percent` is the difference to what its weight gives.
pub(super) fn write_csv(report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(CSV_HEADER)?;
    let ratio = &report.sample_ratio;
    for ((arm, units), expected) in report.arms.iter().zip(&ratio.units).zip(&ratio.expected) {
        let percent = Some(100.0 * (*units as f64 / expected - 1.0));
        let at = Difference { percent, p_value: Some(ratio.p_value), ..Difference::default() };
        let values = [String::new(), units.to_string(), String::new(), String::new()];
        out.write_record(csv_row(["sample ratio", arm, "overall"], values, &at))?;
    }
    for comparison in &report.metrics {
        let row = |when: &str, values: Option<&Values>, at: &Difference| {
            csv_row([&comparison.metric, &comparison.arm, when], values.map(csv_values).unwrap_or_default(), at)
        };
        for day in &comparison.days {
            let until = format!("to {}", day.date);
            out.write_record(row(&day.date.to_string(), Some(&day.day_values), &day.day))?;
            out.write_record(row(&until, Some(&day.so_far_values), &day.so_far))?;
            for (when, adjusted) in [(day.date.to_string(), &day.day_adjusted), (until, &day.so_far_adjusted)] {
                let adjusted = adjusted.as_ref().map(|at| row(&format!("{when} adjusted"), None, at));
                adjusted.into_iter().try_for_each(|adjusted| out.write_record(adjusted))?;
            }
        }
        let overall = comparison.days.last().map(|day| &day.so_far_values);
        out.write_record(row("overall", overall, &comparison.overall))?;
        if let Some(adjusted) = &comparison.adjusted {
            out.write_record(row("overall adjusted", None, adjusted))?;
        }
    }
    Ok(fs::write(path, out.into_inner()?)?)
}

fn csv_values(values: &Values) -> [String; 4] {
    let (arm, control) = (csv_number(values.in_arm), csv_number(values.in_control));
    [arm, values.units_in_arm.to_string(), control, values.units_in_control.to_string()]
}

fn csv_row(of: [&str; 3], values: [String; 4], at: &Difference) -> Vec<String> {
    let ends = |ends: Option<(f64, f64)>| [ends.map(|ends| ends.0), ends.map(|ends| ends.1)];
    let ([low, high], [always_low, always_high]) = (ends(at.interval), ends(at.always_valid));
    let numbers = [at.percent, low, high, at.p_value, always_low, always_high].map(csv_number);
    let problem = at.problem.map(|problem| problem.to_string()).unwrap_or_default();
    of.map(str::to_owned).into_iter().chain(values).chain(numbers).chain([problem]).collect()
}

fn csv_number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
