//! A copy of a table that nobody outside can touch.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::files::unnamed;

/// Bytes written at once. Where a file system has large folios, a write of so many makes one of just that size, which
/// the processor then maps as one huge page; smaller writes leave small pages behind, and lookups are dearer by half.
const CHUNK: usize = 2 << 20;

/// A file without a name, and with no other descriptor: its bytes and its length change no more.
#[derive(Debug)]
pub(super) struct PrivateFile(File);

impl PrivateFile {
    /// Copies `source` into an unnamed file in `dir`: shared blocks where the file system can, else chunk by chunk.
    pub(super) fn copy(source: &File, dir: &Path) -> io::Result<Self> {
        let copy = unnamed(dir)?;
        if !share_blocks(source, &copy) {
            write_chunks(source, &copy)?;
        }
        Ok(Self(copy))
    }

    /// The file, for reading only: mapping it is sound as long as nothing writes to it.
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// Waits until the disk has every byte: what it could not take would be gone when memory runs short.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(target_os = "linux")]
fn share_blocks(source: &File, copy: &File) -> bool {
    rustix::fs::ioctl_ficlone(copy, source).is_ok()
}

/// Elsewhere only files with a name can.
#[cfg(not(target_os = "linux"))]
fn share_blocks(_: &File, _: &File) -> bool {
    false
}

fn write_chunks(source: &File, copy: &File) -> io::Result<()> {
    // No zeros: the chunk must be in memory before the kernel fills it, for a page fault within a system call locks every
    // map of the process.
    let mut chunk = vec![1; CHUNK];
    let len = source.metadata()?.len();
    for at in (0..len).step_by(CHUNK) {
        let part = &mut chunk[..CHUNK.min((len - at) as usize)];
        source.read_exact_at(part, at)?;
        copy.write_all_at(part, at)?;
    }
    Ok(())
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
        copy.sync().unwrap();
        drop(copy);
        assert_eq!(mapping.as_ref(), [7; 10_000]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
