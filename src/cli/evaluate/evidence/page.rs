//! The page's words: a template, and what it is given.

use std::path::{Path, PathBuf};

use anyhow::Context;
use minijinja::Environment;
use serde::Serialize;

use super::claims::Claim;
use crate::cli::evaluate::told::{Row, Told};
use crate::cli::picture::Target;

const TEMPLATE: &str = include_str!("page.md.jinja");

/// What the template is given.
#[derive(Serialize)]
pub(super) struct Page {
    pub(super) name: String,
    pub(super) k: usize,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) positions: u64,
    pub(super) users: usize,
    pub(super) resamples: u64,
    pub(super) deals: u64,
    pub(super) claims: Vec<Claim>,
    pub(super) sections: Vec<Section>,
    /// What a language model adds; none where no tables of one were named.
    pub(super) made: Option<OfModel>,
    /// The words of `--notes`.
    pub(super) notes: String,
}

/// One cut of time.
#[derive(Serialize)]
pub(super) struct Section {
    pub(super) by: String,
    pub(super) window: String,
    pub(super) hit_rate: Part,
    pub(super) stability: Part,
}

/// Tables that a language model made.
#[derive(Serialize)]
pub(super) struct OfModel {
    pub(super) with: String,
    pub(super) without: String,
    /// The name of what followed `with`, where tables were named.
    pub(super) refreshed: Option<String>,
    pub(super) hit_rate: Part,
    pub(super) overlap: Part,
}

/// One command's tables and pictures.
#[derive(Serialize)]
pub(super) struct Part {
    tables: Vec<String>,
    notes: Vec<String>,
    pictures: Vec<String>,
}

impl Part {
    /// Draws the pictures into `folder` beside the page, under `name`.
    pub(super) fn of(folder: &Path, name: &str, told: &Told) -> anyhow::Result<Self> {
        let path = folder.join(format!("{name}.svg"));
        let files = told.draw(&Target::new(&path, false)?)?;
        let place = |file: &PathBuf| format!("evidence/{}", file.file_name().unwrap_or_default().to_string_lossy());
        let tables = told.tables.iter().map(|table| markdown(table)).collect();
        Ok(Self { tables, notes: told.notes.clone(), pictures: files.iter().map(place).collect() })
    }
}

impl Page {
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let page = minijinja::value::Serde(self);
        let text = Environment::new().render_str(TEMPLATE, page).context("writing the page's words")?;
        std::fs::write(path, text.trim_end().to_owned() + "\n").with_context(|| format!("writing {}", path.display()))
    }
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
