//! Small steps on the file system that survive a crash, and reads that survive whatever lies there.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{StoreError, failed};

/// Makes the entries of a folder durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(failed("syncing the folder", path))
}

/// Writes a file whole and makes its content durable; its name becomes so with [`sync_dir`].
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StoreError> {
    let json = serde_json::to_vec_pretty(value).map_err(|error| failed("encoding", path)(error.into()))?;
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(&json)?;
        file.sync_all()
    };
    write().map_err(failed("writing", path))
}

/// Reads a file that [`write_json`] wrote; `None` where there is none.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let Some(file) = if_present(open_file(path))? else { return Ok(None) };
    let text = io::read_to_string(file).map_err(failed("reading", path))?;
    let value = serde_json::from_str(&text);
    value.map(Some).map_err(|error| StoreError::Damaged { path: path.to_owned(), problem: error.to_string() })
}

/// Opens a regular file for reading. Anything else that took its name is refused, and never waited for.
pub(super) fn open_file(path: &Path) -> Result<File, StoreError> {
    let nonblock = OFlags::NONBLOCK.bits() as i32;
    let opened = File::options().read(true).custom_flags(nonblock).open(path);
    let file = opened.map_err(failed("opening", path))?;
    let metadata = file.metadata().map_err(failed("reading", path))?;
    if metadata.is_file() {
        Ok(file)
    } else {
        Err(StoreError::Foreign { path: path.to_owned(), expected: "a regular file" })
    }
}

/// The names in a folder, without hidden ones.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let list = || -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.filter(|name| !matches!(name, Ok(hidden) if hidden.starts_with('.'))).collect()
    };
    list().map_err(failed("listing", dir))
}

/// The numbers of a folder whose every entry is named `<number><suffix>`, ascending.
pub(super) fn numbers(dir: &Path, suffix: &str, expected: &'static str) -> Result<Vec<u64>, StoreError> {
    let number = |name: String| {
        let digits = name.strip_suffix(suffix).unwrap_or_default();
        let number = digits.parse::<u64>().ok().filter(|number| number.to_string() == digits);
        number.ok_or_else(|| StoreError::Foreign { path: dir.join(&name), expected })
    };
    let mut numbers = names(dir)?.into_iter().map(number).collect::<Result<Vec<u64>, _>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes something not being there an answer instead of an error.
pub(super) fn if_present<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
