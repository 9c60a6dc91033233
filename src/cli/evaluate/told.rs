//! One result, told in every way: tables, JSON, CSV, pictures, and kept beside a version.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::chart::Chart;
use crate::cli::picture::{Target, refuse_unwritable};
use crate::cli::{Common, output, who};
use crate::config::Config;
use crate::evaluation::Estimate;
use crate::ids::VersionId;
use crate::store::Store;

/// Where a result goes beside the terminal.
#[derive(Debug, clap::Args)]
pub(super) struct Outputs {
    /// Write the figures as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw them, as FILE.svg or FILE.png; further pictures get the same name with an ending
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Draw a PNG for dark pages (an SVG follows its reader)
    #[arg(long)]
    dark: bool,
    /// Keep the result in the store, beside this version
    #[arg(long, value_name = "VERSION")]
    keep: Option<VersionId>,
}

/// A row of cells.
pub(super) type Row = Vec<String>;

/// A result.
pub(super) struct Told {
    /// What was measured, as the command is called.
    pub(super) kind: &'static str,
    /// For people: tables, their first rows the headers.
    pub(super) tables: Vec<Vec<Row>>,
    /// What limits the figures.
    pub(super) notes: Vec<String>,
    /// For programs: one table with a header.
    pub(super) csv: Vec<Row>,
    /// The pictures, each with the ending of its name.
    pub(super) pictures: Vec<(&'static str, Chart)>,
    /// All figures.
    pub(super) result: serde_json::Value,
}

impl Outputs {
    /// Measures and delivers, if all can be delivered.
    pub(super) fn told(
        &self,
        common: &Common,
        config: &Config,
        measure: impl FnOnce() -> anyhow::Result<Told>,
    ) -> anyhow::Result<ExitCode> {
        self.check(config)?;
        self.deliver(common, config, &measure()?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses what could not be delivered, before anything is measured.
    fn check(&self, config: &Config) -> anyhow::Result<()> {
        self.target()?;
        self.csv.iter().chain(&self.picture).try_for_each(|path| refuse_unwritable(path))?;
        if let Some(version) = self.keep {
            Store::open(&config.store)?.manifest(version)?;
        }
        Ok(())
    }

    fn target(&self) -> anyhow::Result<Option<Target<'_>>> {
        self.picture.as_deref().map(|path| Target::new(path, self.dark)).transpose()
    }

    fn deliver(&self, common: &Common, config: &Config, told: &Told) -> anyhow::Result<()> {
        if common.json {
            output::json(&told.result)?;
        } else {
            for (nth, table) in told.tables.iter().enumerate() {
                if nth > 0 {
                    output::line("")?;
                }
                output::columns(table)?;
            }
        }
        told.notes.iter().for_each(output::note);
        if let Some(path) = &self.csv {
            told.write_csv(path)?;
        }
        if let Some(target) = self.target()? {
            told.draw(&target)?;
        }
        if let Some(version) = self.keep {
            let kept = Store::open(&config.store)?.keep_evaluation(version, told.kind, &who(), &told.result)?;
            output::note(format_args!("kept beside {version} as evaluation {}", kept.seq));
        }
        Ok(())
    }
}

impl Told {
    fn write_csv(&self, path: &Path) -> anyhow::Result<()> {
        let writing = || format!("writing {}", path.display());
        let mut writer = csv::Writer::from_path(path).with_context(writing)?;
        self.csv.iter().try_for_each(|row| writer.write_record(row)).with_context(writing)?;
        writer.flush().with_context(writing)
    }

    /// Writes every picture; returns their files' names.
    pub(super) fn draw(&self, target: &Target<'_>) -> anyhow::Result<Vec<PathBuf>> {
        self.pictures.iter().map(|(ending, chart)| target.draw(ending, chart)).collect()
    }
}

/// Cells of texts.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Row {
    cells.map(str::to_owned).to_vec()
}

/// In percent, without its interval.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// In percent, with its interval; a dash where there is none.
pub(in crate::cli) fn estimate(estimate: Option<Estimate>) -> String {
    let told = |Estimate { value, low, high }: Estimate| {
        format!("{:.1} % [{:.1}, {:.1}]", 100.0 * value, 100.0 * low, 100.0 * high)
    };
    estimate.map_or("-".into(), told)
}

/// The three numbers as CSV has them; empty where there is none.
pub(super) fn numbers(estimate: Option<Estimate>) -> [String; 3] {
    estimate.map_or([const { String::new() }; 3], |of| [of.value, of.low, of.high].map(|number| number.to_string()))
}
