//! Files that nobody else comes to.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{TimeDelta, Utc};

/// A path in `dir` that no other process or thread comes to.
pub(crate) fn unique_path(dir: &Path, kind: &str) -> PathBuf {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let (process, made) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let nanos = Utc::now().timestamp_nanos_opt().unwrap_or_default();
    dir.join(format!("{kind}-{process}-{made}-{nanos}"))
}

/// A file in `dir` that has no name and never gets one: only this process can reach it, and it is gone when it is
/// closed, even by a kill.
#[cfg(target_os = "linux")]
pub(crate) fn unnamed(dir: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    // EXCL: it can never be given a name.
    let flags = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::RUSR | Mode::WUSR) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => unlinked(dir),
        made => Ok(File::from(made?)),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use unlinked as unnamed;

/// Hidden, so that readers of logs pass it by.
const WRITING: &str = ".writing";

/// No file takes so long to be written.
const LONGEST_WRITE: TimeDelta = TimeDelta::hours(1);

/// Puts a file in place: what was there before stays until all of the new one is on the disk.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = unique_path(dir, WRITING);
    let write = || {
        let mut file = File::create(&private)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&private, path)?;
        File::open(dir)?.sync_all()
    };
    let written = write();
    if written.is_err() {
        // What stays is hidden.
        let _ = std::fs::remove_file(&private);
    }
    written
}

/// Removes what processes that were killed while they [`put`] a file left in `dir`; returns how many. What another
/// process may be writing at the moment stays.
pub(crate) fn sweep(dir: &Path) -> io::Result<usize> {
    let before = (Utc::now() - LONGEST_WRITE).timestamp_nanos_opt().unwrap_or_default();
    let mut swept = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if begun(&entry.file_name().to_string_lossy()).is_some_and(|begun| begun < before) {
            std::fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// When the file of this name was begun, in nanoseconds since 1970; none of another kind.
fn begun(name: &str) -> Option<i64> {
    let numbers: Vec<&str> = name.strip_prefix(WRITING)?.strip_prefix('-')?.split('-').collect();
    let [process, made, nanos] = numbers[..] else { return None };
    process.parse::<u32>().ok().and(made.parse::<u64>().ok())?;
    nanos.parse().ok()
}

/// For systems without `O_TMPFILE`: its name is gone before the first byte is written.
pub(crate) fn unlinked(dir: &Path) -> io::Result<File> {
    let path = unique_path(dir, "unnamed");
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn what_has_no_name_is_written_and_read_and_seen_by_nobody() {
        let dir = tempfile::tempdir().unwrap();
        for make in [unnamed, unlinked] {
            let mut file = make(dir.path()).unwrap();
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
            file.write_all(b"nobody").unwrap();
            file.rewind().unwrap();
            let mut read = String::new();
            file.read_to_string(&mut read).unwrap();
            assert_eq!(read, "nobody");
        }
    }

    #[test]
    fn what_a_kill_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now().timestamp_nanos_opt().unwrap();
        let (old, stays) = (format!(".writing-7-0-{}", now - 4_000_000_000_000), format!(".writing-7-0-{now}"));
        let others = [".writing-1", ".writing-7-0-x", "writing-7-0-1", "exposures-7-0-1.parquet", stays.as_str()];
        for name in others.iter().chain([&old.as_str()]) {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(sweep(dir.path()).unwrap(), 1);
        assert!(!dir.path().join(old).exists() && others.iter().all(|name| dir.path().join(name).exists()));
        put(&dir.path().join("file"), b"whole").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), others.len() + 1);
    }
}
