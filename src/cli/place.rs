//! Directories that go away by themselves.

use std::path::PathBuf;

/// A directory, removed at the end unless someone chose it.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    chosen: bool,
}

impl Place {
    /// The directory that was chosen, or one of this process and name among the system's temporary ones.
    pub(super) fn new(chosen: Option<PathBuf>, name: &str) -> Self {
        let temporary = || std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let is_chosen = chosen.is_some();
        Self { dir: chosen.unwrap_or_else(temporary), chosen: is_chosen }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.chosen {
            // What is left lies in the system's temporary directory, and is small.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}
