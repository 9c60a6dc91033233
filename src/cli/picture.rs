//! Where figures are written: a file of their own, or a picture whose name says how it is drawn.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::chart::{Chart, Theme};
use crate::files;

/// A picture, and others beside it whose names have an ending more.
pub(super) struct Target<'p> {
    path: &'p Path,
    /// None: an SVG, which follows its reader's theme.
    png: Option<Theme>,
}

impl<'p> Target<'p> {
    /// Refuses what names no picture. A PNG is drawn for dark pages where that is asked for.
    pub(super) fn new(path: &'p Path, dark: bool) -> anyhow::Result<Self> {
        let png = match path.extension().map(|form| form.to_string_lossy()).as_deref() {
            Some("svg") => None,
            Some("png") => Some(if dark { Theme::Dark } else { Theme::Light }),
            Some(other) => {
                bail!("{} is a picture of the unknown form `{other}`: svg and png are drawn", path.display())
            }
            None => bail!("{} names no picture: write FILE.svg or FILE.png", path.display()),
        };
        Ok(Self { path, png })
    }

    /// Draws one under its name with this ending; returns where it is.
    pub(super) fn draw(&self, ending: &str, chart: &Chart) -> anyhow::Result<PathBuf> {
        let [stem, form] = [self.path.file_stem(), self.path.extension()].map(Option::unwrap_or_default);
        let path = self.path.with_file_name(format!("{}{ending}.{}", stem.to_string_lossy(), form.to_string_lossy()));
        let bytes = match self.png {
            None => chart.svg().into_bytes(),
            Some(theme) => chart.png(theme)?,
        };
        fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }
}

/// Measuring takes a while: nobody should learn only then where nothing can be written.
pub(super) fn refuse_unwritable(path: &Path) -> anyhow::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probed = if path.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { files::unnamed(directory) };
    probed.map(|_| ()).with_context(|| format!("{} cannot be written", path.display()))
}
