//! `segue evaluate evidence`: a page that measures the paper's offline claims (sections 2.1 and 3.1) on a log, and says
//! which of them hold there. Its words are a template; nobody edits the page.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use minijinja::Environment;
use serde::Serialize;

use super::over::Over;
use super::told::{Row, Told};
use super::versions::Named;
use super::{claims, hit_rate, stability};
use crate::chart::Theme;
use crate::cli::{Common, output};
use crate::config::Config;
use crate::replay::Step;

const TEMPLATE: &str = include_str!("evidence.md.jinja");

/// Arguments of `segue evaluate evidence`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory for the page (evidence.md) and its pictures
    #[arg(long, value_name = "DIR", default_value = "docs")]
    out: PathBuf,
    /// What the page calls the log
    #[arg(long, default_value = "this log")]
    name: String,
    /// The first moment asked about: a date or RFC 3339, UTC
    #[arg(long)]
    from: Option<String>,
    /// The end, exclusive
    #[arg(long)]
    to: Option<String>,
    /// Further versions that are compared, named as for hit-rate
    #[arg(long, value_delimiter = ',')]
    versions: Vec<Named>,
    /// A file whose words are put at the page's end
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Times that users are drawn anew for an interval
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    resamples: u64,
    /// Random deals for the stability of a log without drift
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..=1000))]
    deals: u64,
}

/// What the template is given.
#[derive(Serialize)]
struct Page {
    name: String,
    k: usize,
    from: String,
    to: String,
    positions: u64,
    users: usize,
    resamples: u64,
    deals: u64,
    claims: Vec<claims::Claim>,
    sections: Vec<Section>,
    notes: String,
}

/// One cut of time.
#[derive(Serialize)]
struct Section {
    by: String,
    window: String,
    hit_rate: Part,
    stability: Part,
}

/// One command's tables and pictures.
#[derive(Serialize)]
struct Part {
    tables: Vec<String>,
    pictures: Vec<String>,
}

pub(super) fn run(common: &Common, config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let notes = args.notes.as_ref().map(read).transpose()?.unwrap_or_default();
    let pictures = args.out.join("evidence");
    std::fs::create_dir_all(&pictures).with_context(|| format!("making {}", pictures.display()))?;
    let cuts = [
        (Step::Month, Step::Month, "retrieved:month,retrieved:held,popular:month,random"),
        (Step::Days(7), Step::Days(30), "retrieved:2d,retrieved:held,popular:2d,random"),
    ];
    let (mut sections, mut measured) = (Vec::new(), Vec::new());
    let runtime = crate::cli::runtime()?;
    for (by, window, versions) in cuts {
        let over = Over { from: args.from.clone(), to: args.to.clone(), by };
        let mut versions = versions.split(',').map(str::parse).collect::<Result<Vec<Named>, _>>()?;
        versions.extend(args.versions.iter().cloned());
        let asked = hit_rate::Args::everyone(over.clone(), versions, window, args.resamples);
        let rates = runtime.block_on(hit_rate::measure(config, &asked))?;
        // Stability needs no window before it.
        let over = Over { from: None, ..over };
        let drift = runtime.block_on(stability::measure(config, &stability::Args { over, deals: args.deals }))?;
        let draw = |kind: &str, told: &Told| {
            let name = format!("{kind}-by-{by}.svg");
            let files = told.draw(&pictures.join(name), Theme::Light)?;
            let name = |file: &PathBuf| format!("evidence/{}", file.file_name().unwrap_or_default().to_string_lossy());
            let tables = told.tables.iter().map(|table| markdown(table)).collect();
            anyhow::Ok(Part { tables, pictures: files.iter().map(name).collect() })
        };
        sections.push(Section {
            by: by.to_string(),
            window: window.to_string(),
            hit_rate: draw("hit-rate", &hit_rate::told(&rates, by))?,
            stability: draw("stability", &stability::told(&drift, by))?,
        });
        measured.push(claims::Measured { by, rates, drift });
    }
    let first = measured.first().context("two cuts are measured")?;
    let (overall, periods) = (&first.rates.versions[0].overall, &first.rates.periods);
    let date = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or(String::new(), |at| at.format("%F").to_string());
    let page = Page {
        name: args.name.clone(),
        k: config.table.k,
        from: date(periods.first().map(|period| period.from)),
        to: date(periods.last().map(|period| period.to)),
        positions: overall.positions,
        users: overall.users,
        resamples: args.resamples,
        deals: args.deals,
        claims: claims::claims(&measured),
        sections,
        notes,
    };
    let path = args.out.join("evidence.md");
    let text =
        Environment::new().render_str(TEMPLATE, minijinja::value::Serde(&page)).context("writing the page's words")?;
    std::fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
    if common.json {
        output::json(&page.claims)?;
    } else {
        output::line(format_args!("wrote {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn markdown(table: &[Row]) -> String {
    let line = |row: &Row| format!("| {} |", row.join(" | "));
    let mut lines: Vec<String> = table.iter().map(line).collect();
    let rule = |header: &Row| format!("|{}", "---|".repeat(header.len()));
    lines.extend(table.first().map(rule));
    // The rule stands under the header.
    let last = lines.len().saturating_sub(1);
    if last > 1 {
        lines[1..].rotate_right(1);
    }
    lines.join("\n")
}
