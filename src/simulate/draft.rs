//! A file that appears under its name whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::error::SimulateError;

/// A file in the making; what is not published is deleted.
pub(super) struct Draft {
    path: PathBuf,
    /// Beside the final name, so that renaming is atomic; of another extension, so that no reader takes it for a log.
    temp: PathBuf,
    file: File,
}

impl Draft {
    /// Starts the file that is to stand at `path`, and the directories above it.
    pub(super) fn create(path: &Path) -> Result<Self, SimulateError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(SimulateError::io("creating", parent))?;
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", process::id()));
        let temp = path.with_file_name(name);
        let file = File::create(&temp).map_err(SimulateError::io("creating", path))?;
        Ok(Self { path: path.to_owned(), temp, file })
    }

    /// Where the file is going to stand.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle, to write through.
    pub(super) fn handle(&self) -> Result<File, SimulateError> {
        self.file.try_clone().map_err(SimulateError::io("writing", &self.path))
    }

    /// Writes all of the file and lets it appear.
    pub(super) fn write(
        self,
        content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<(), SimulateError> {
        let mut out = BufWriter::with_capacity(1 << 18, &self.file);
        content(&mut out).and_then(|()| out.flush()).map_err(SimulateError::io("writing", &self.path))?;
        drop(out);
        self.publish()
    }

    /// Lets what was written appear.
    pub(super) fn publish(self) -> Result<(), SimulateError> {
        let renamed = self.file.sync_all().and_then(|()| fs::rename(&self.temp, &self.path));
        renamed.map_err(SimulateError::io("writing", &self.path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more if the draft was published; otherwise a leftover does no harm.
        let _ = fs::remove_file(&self.temp);
    }
}
