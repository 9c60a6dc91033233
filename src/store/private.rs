//! A copy of a table that nobody outside can touch.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::Advice;

use crate::files::unnamed;

/// A file without a name, and with no other descriptor: its bytes and its length change no more.
#[derive(Debug)]
pub(super) struct PrivateFile(File);

impl PrivateFile {
    /// Copies `source` into an unnamed file in `dir`: shared blocks where the file system can, else the kernel copies.
    pub(super) fn copy(source: &File, dir: &Path) -> io::Result<Self> {
        let mut copy = unnamed(dir)?;
        if rustix::fs::ioctl_ficlone(&copy, source).is_err() {
            io::copy(&mut &*source, &mut copy)?;
        }
        Ok(Self(copy))
    }

    /// The file, for reading only: mapping it is sound as long as nothing writes to it.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Drops the file's pages from the cache, so that the next reader gets them anew and in large folios.
    pub(super) fn drop_cache(&self) -> io::Result<()> {
        // Dirty pages stay, so they are written first.
        self.0.sync_data()?;
        // Best effort: with the pages left in the cache, lookups are slower, not wrong.
        let _ = rustix::fs::fadvise(&self.0, 0, None, Advice::DontNeed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mapping;
    use super::*;

    #[test]
    fn a_copy_has_no_name_and_does_not_follow_its_source() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        std::fs::write(&path, [7; 10_000]).unwrap();
        let copy = PrivateFile::copy(&File::open(&path).unwrap(), dir.path()).unwrap();
        let mapping = Mapping::of(&copy).unwrap();
        std::fs::write(&path, [8; 10]).unwrap();
        copy.drop_cache().unwrap();
        drop(copy);
        assert_eq!(mapping.as_ref(), [7; 10_000]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
