//! `segue evaluate evidence`: a page that measures the paper's offline claims (sections 2.1 and 3.1) on a log, and says
//! which of them hold there. Its words are a template; nobody edits the page.

mod claims;
mod model;
mod page;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::over::Over;
use super::versions::Named;
use super::{hit_rate, overlap, stability};
use crate::cli::{Common, output};
use crate::config::Config;
use crate::ids::VersionId;
use crate::replay::Step;
use claims::Measured;
use model::Made;
use page::{OfModel, Page, Part, Section};

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
    /// Two versions that a language model made: without fresh behaviour in its prompts, and with it
    #[arg(long, num_args = 2, value_names = ["WITHOUT", "WITH"])]
    overlap: Vec<VersionId>,
    /// A version made like the first of them, with another seed; may be given again
    #[arg(long, value_name = "VERSION", requires = "overlap")]
    repeat: Vec<VersionId>,
    /// A version made like the second of them when more of the log was there; may be given again, in order
    #[arg(long, value_name = "VERSION", requires = "overlap")]
    refreshed: Vec<VersionId>,
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

pub(super) fn run(common: &Common, config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    let notes = args.notes.as_ref().map(read).transpose()?.unwrap_or_default();
    let pictures = args.out.join("evidence");
    std::fs::create_dir_all(&pictures).with_context(|| format!("making {}", pictures.display()))?;
    let runtime = crate::cli::runtime()?;
    // What can be refused without a replay comes first.
    let made = runtime.block_on(model::measure(config, args))?;
    let cuts = [
        (Step::Month, Step::Month, "retrieved:month,retrieved:held,popular:month,random"),
        (Step::Days(7), Step::Days(30), "retrieved:2d,retrieved:held,popular:2d,random"),
    ];
    let (mut sections, mut measured) = (Vec::new(), Vec::new());
    for (by, window, versions) in cuts {
        let of_cut = runtime.block_on(measure(config, args, by, window, versions))?;
        sections.push(section(&of_cut, window, &pictures)?);
        measured.push(of_cut);
    }
    let page = page(config, args, &measured, sections, made, &pictures, notes)?;
    let path = args.out.join("evidence.md");
    page.write(&path)?;
    if common.json {
        output::json(&page.claims)?;
    } else {
        output::line(format_args!("wrote {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(config: &Config, args: &Args, by: Step, window: Step, versions: &str) -> anyhow::Result<Measured> {
    let over = Over { from: args.from.clone(), to: args.to.clone(), by };
    let mut versions = versions.split(',').map(str::parse).collect::<Result<Vec<Named>, _>>()?;
    versions.extend(args.versions.iter().cloned());
    let asked = hit_rate::Args::everyone(over.clone(), versions, window, args.resamples);
    let rates = hit_rate::measure(config, &asked).await?;
    // Stability needs no window before it.
    let over = Over { from: None, ..over };
    let drift = stability::measure(config, &stability::Args { over, deals: args.deals }).await?;
    Ok(Measured { by, rates, drift })
}

fn section(of: &Measured, window: Step, pictures: &Path) -> anyhow::Result<Section> {
    let Measured { by, rates, drift } = of;
    Ok(Section {
        by: by.to_string(),
        window: window.to_string(),
        hit_rate: Part::of(pictures, &format!("hit-rate-by-{by}"), &hit_rate::told(rates, *by))?,
        stability: Part::of(pictures, &format!("stability-by-{by}"), &stability::told(drift, *by))?,
    })
}

fn page(
    config: &Config,
    args: &Args,
    measured: &[Measured],
    sections: Vec<Section>,
    made: Option<Made>,
    pictures: &Path,
    notes: String,
) -> anyhow::Result<Page> {
    let first = measured.first().context("two cuts are measured")?;
    let (overall, periods) = (&first.rates.versions[0].overall, &first.rates.periods);
    let date = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or(String::new(), |at| at.format("%F").to_string());
    let of_model = |Made { overlap, rates, refreshed }: &Made| {
        anyhow::Ok(OfModel {
            with: overlap.second.to_string(),
            without: overlap.first.to_string(),
            refreshed: refreshed.clone(),
            hit_rate: Part::of(pictures, "hit-rate-of-model", &hit_rate::told(rates, model::BY))?,
            overlap: Part::of(pictures, "overlap", &overlap::told(overlap))?,
        })
    };
    Ok(Page {
        name: args.name.clone(),
        k: config.table.k,
        from: date(periods.first().map(|period| period.from)),
        to: date(periods.last().map(|period| period.to)),
        positions: overall.positions,
        users: overall.users,
        resamples: args.resamples,
        deals: args.deals,
        claims: claims::claims(measured, made.as_ref()),
        sections,
        made: made.as_ref().map(of_model).transpose()?,
        notes,
    })
}
