//! Questions waiting on the disk, as the lines of batch files: a million prompts are a gigabyte.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::files;

/// Bytes of one batch file, by the published limits.
const MAX_FILE: u64 = 200 * 1000 * 1000;

/// The lines, in a file without a name.
pub(super) struct Spool {
    dir: PathBuf,
    lines: BufWriter<File>,
    end: u64,
    pub(super) questions: Vec<Spooled>,
}

/// A question, and where its line lies.
#[derive(Clone, Copy)]
pub(super) struct Spooled {
    /// Its name, as kept answers go by it.
    pub(super) key: u128,
    pub(super) id: u64,
    at: u64,
    len: usize,
}

impl Spool {
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        let lines = BufWriter::new(files::unnamed(dir)?);
        Ok(Self { dir: dir.to_owned(), lines, end: 0, questions: Vec::new() })
    }

    /// Adds a question by its line, which has no end yet.
    pub(super) fn push(&mut self, key: u128, id: u64, mut line: String) -> io::Result<()> {
        line.push('\n');
        self.lines.write_all(line.as_bytes())?;
        self.questions.push(Spooled { key, id, at: self.end, len: line.len() });
        self.end += line.len() as u64;
        Ok(())
    }

    /// The lines of the first of `questions` as one file, at most `most` of them, and how many they are; at least one.
    pub(super) fn file(&mut self, questions: &[Spooled], most: usize) -> io::Result<(File, usize)> {
        self.lines.flush()?;
        let mut file = BufWriter::new(files::unnamed(&self.dir)?);
        let (mut bytes, mut taken, mut line) = (0, 0, Vec::new());
        for question in questions.iter().take(most) {
            bytes += question.len as u64;
            if taken > 0 && bytes > MAX_FILE {
                break;
            }
            line.resize(question.len, 0);
            self.lines.get_ref().read_exact_at(&mut line, question.at)?;
            file.write_all(&line)?;
            taken += 1;
        }
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok((file, taken))
    }
}
