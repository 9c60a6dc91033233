//! Which files a log is: a file, a glob or a directory, resolved once, so that every count of a run reads the same.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::error::Error;

/// The format of a log, told by the extension of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Csv,
    JsonLines,
}

impl Format {
    /// The format of `path`, if its extension is one that logs have.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let plain = [".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix));
        match plain.unwrap_or(&name).rsplit_once('.')?.1 {
            "parquet" if plain.is_none() => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// One file of a log with the columns that its path carries (`date=2026-01-01`).
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    pub(super) partitions: Vec<(String, Option<String>)>,
}

impl LogFile {
    fn new(path: PathBuf) -> Self {
        let components = path.parent().into_iter().flat_map(Path::components);
        let partitions = components.filter_map(|part| part.as_os_str().to_str()?.split_once('='));
        let partitions = partitions.map(|(name, value)| (name.to_owned(), partition_value(value))).collect();
        Self { path, partitions }
    }

    /// The value that the path gives to the column `name`.
    pub(super) fn partition(&self, name: &str) -> Option<&str> {
        self.partitions.iter().find(|(column, _)| column == name)?.1.as_deref()
    }
}

/// Hive writes an absent value under this name.
fn partition_value(text: &str) -> Option<String> {
    (text != "__HIVE_DEFAULT_PARTITION__").then(|| text.to_owned())
}

/// Names the files as they are: another path, length or time of change gives another number.
pub(super) fn fingerprint(files: &[LogFile]) -> u128 {
    let mut hasher = Xxh3::new();
    for file in files {
        // A file that is gone by now is told of when it is read.
        let stat = fs::metadata(&file.path).map(|data| (data.len(), data.mtime(), data.mtime_nsec()));
        hasher.update(format!("{:?} {:?}", file.path, stat.ok()).as_bytes());
    }
    hasher.digest128()
}

/// Finds the files of `path`, sorted. All must be of one format.
pub(super) fn resolve(path: &str) -> Result<(Format, Vec<LogFile>), Error> {
    let local = match path.split_once("://") {
        None => path,
        Some(("file", local)) => local,
        Some(_) => return Err(Error::Url { path: path.to_owned() }),
    };
    let mut paths = if fs::exists(local).unwrap_or(false) { from_path(Path::new(local))? } else { from_glob(local)? };
    paths.sort();
    paths.dedup();
    let format = common_format(path, &paths)?;
    Ok((format, paths.into_iter().map(LogFile::new).collect()))
}

fn from_path(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if path.is_dir() {
        let mut found = Vec::new();
        search(path, &mut found)?;
        return Ok(found);
    }
    match Format::of(path) {
        Some(_) => Ok(vec![path.to_owned()]),
        None => Err(Error::Format { path: path.to_owned() }),
    }
}

fn from_glob(pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let matches = glob::glob(pattern).map_err(|e| Error::Glob { path: pattern.to_owned(), problem: e.to_string() })?;
    let mut found = Vec::new();
    for path in matches {
        let path = path.map_err(|e| Error::Io { path: e.path().to_owned(), source: e.into() })?;
        collect(path, &mut found)?;
    }
    Ok(found)
}

/// Adds every log file below `directory`. Names that begin with `.` or `_` are what engines leave beside their output.
fn search(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let io = |source| Error::Io { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
        if !hidden {
            collect(entry.path(), found)?;
        }
    }
    Ok(())
}

fn collect(path: PathBuf, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if path.is_dir() {
        search(&path, found)?;
    } else if Format::of(&path).is_some() {
        found.push(path);
    }
    Ok(())
}

fn common_format(path: &str, files: &[PathBuf]) -> Result<Format, Error> {
    let formats: Vec<_> = files.iter().filter_map(|file| Some((Format::of(file)?, file))).collect();
    let &(format, first) = formats.first().ok_or_else(|| Error::NoFiles { path: path.to_owned() })?;
    match formats.iter().find(|(other, _)| *other != format) {
        None => Ok(format),
        Some((_, second)) => Err(Error::MixedFormats { first: first.clone(), second: (*second).clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_extension() {
        for (name, format) in [
            ("a.parquet", Some(Format::Parquet)),
            ("a.b.CSV", Some(Format::Csv)),
            ("a.csv.gz", Some(Format::Csv)),
            ("a.jsonl.zst", Some(Format::JsonLines)),
            ("a.ndjson", Some(Format::JsonLines)),
            ("a.json", Some(Format::JsonLines)),
            ("a.parquet.gz", None),
            ("a.gz", None),
            ("csv", None),
            ("README.md", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn a_directory_is_searched_and_paths_carry_columns() {
        let root = tempfile::tempdir().unwrap();
        let day = root.path().join("logs/date=2026-01-01/hour=7");
        fs::create_dir_all(&day).unwrap();
        for name in ["part.csv", "_part.csv", ".part.csv", "_SUCCESS", "notes.md"] {
            fs::write(day.join(name), "").unwrap();
        }
        for path in ["logs", "logs/**/*.csv", "logs/date=*"] {
            let (format, files) = resolve(root.path().join(path).to_str().unwrap()).unwrap();
            let names: Vec<_> = files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap()).collect();
            let hidden_too: &[&str] =
                if path.contains("*.") { &[".part.csv", "_part.csv", "part.csv"] } else { &["part.csv"] };
            assert_eq!((format, names.as_slice()), (Format::Csv, hidden_too), "{path}");
            assert_eq!(files[0].partition("date"), Some("2026-01-01"));
            assert_eq!(files[0].partition("hour"), Some("7"));
        }
    }

    #[test]
    fn what_names_no_log_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
        let refused = |path: &str| resolve(path).unwrap_err().to_string();
        assert!(refused("s3://bucket/logs").contains("not supported yet"));
        assert!(refused(&at("nowhere")).contains("nowhere"));
        assert!(refused(root.path().to_str().unwrap()).contains("no log files"));
        fs::write(at("a.csv"), "").unwrap();
        fs::write(at("b.jsonl"), "").unwrap();
        fs::write(at("c.txt"), "").unwrap();
        let mixed = refused(root.path().to_str().unwrap());
        assert!(mixed.contains("a.csv") && mixed.contains("b.jsonl"), "{mixed}");
        assert!(refused(&at("c.txt")).contains("c.txt"));
    }
}
