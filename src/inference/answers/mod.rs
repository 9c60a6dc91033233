//! Answers that are kept, so that no question is asked twice.
//!
//! They lie in a [redb](https://docs.rs/redb) file: pure Rust, one file, transactions that a kill at any moment leaves
//! whole, and reads by key without loading the rest. An answer's key is a hash of all that decided it, so nothing here is
//! ever out of date; deleting the file costs no more than asking again. One process at a time has it open.
//!
//! Beside each answer stands the day on which a run last rested on it; what has been of no use for long is swept away.

mod sweep;

use std::path::{Path, PathBuf};

use chrono::{NaiveDate, Utc};
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError};
use xxhash_rust::xxh3::Xxh3;

pub use sweep::Swept;

use super::error::InferenceError;
use super::model::{Candidate, Decoding, Message, Role};
use crate::taxonomy::TaxonomyHash;

/// Candidates as JSON: `[["text", 0.25], ["text", null]]`.
const ANSWERS: TableDefinition<u128, &[u8]> = TableDefinition::new("answers");
/// The day, from 1970 on, on which a run last rested on each answer.
const USES: TableDefinition<u128, i32> = TableDefinition::new("uses");
/// The day of the last run, by [`LAST`].
const DAYS: TableDefinition<&str, i32> = TableDefinition::new("days");
const LAST: &str = "last";
/// Bytes of the file held in memory.
const CACHE: usize = 64 << 20;
/// Questions a second, by model id, as last measured.
const PACES: TableDefinition<&str, f64> = TableDefinition::new("paces");
/// Keys written in one transaction, which bounds memory.
const AT_ONCE: usize = 100_000;

/// Names a question by all that decides its answer: the model, the prompt, the decoding, and, where only descriptions
/// can come out, the cluster set.
pub fn question_key(model: &str, messages: &[Message], decoding: Decoding, clusters: TaxonomyHash) -> u128 {
    let mut hasher = Xxh3::new();
    let mut part = |bytes: &[u8]| {
        // The length keeps neighbouring parts apart.
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(model.as_bytes());
    for Message { role, content } in messages {
        part(match role {
            Role::System => b"system",
            Role::User => b"user",
        });
        part(content.as_bytes());
    }
    match decoding {
        Decoding::Constrained { best } => {
            part(b"constrained");
            part(&(best as u64).to_le_bytes());
            part(&clusters.0.to_le_bytes());
        }
        Decoding::Free { samples, temperature, seed, max_tokens } => {
            part(b"free");
            part(&(samples as u64).to_le_bytes());
            part(&temperature.to_le_bytes());
            part(&seed.to_le_bytes());
            part(&(max_tokens as u64).to_le_bytes());
        }
    }
    hasher.digest128()
}

/// The kept answers.
pub struct Answers {
    path: PathBuf,
    database: Database,
    today: i32,
}

/// The answers as they were at one moment.
pub struct Snapshot<'a> {
    answers: &'a Answers,
    table: Option<ReadOnlyTable<u128, &'static [u8]>>,
}

impl Answers {
    /// The file's name, below the store.
    pub const FILE: &str = "answers.redb";

    /// Opens the file, or makes it, for a run of today.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        Self::open_on(path, Utc::now().date_naive())
    }

    /// The same on another day: what is kept or used counts as of then.
    pub fn open_on(path: &Path, day: NaiveDate) -> Result<Self, InferenceError> {
        let (path, today) = (path.to_owned(), day.to_epoch_days());
        match Database::builder().set_cache_size(CACHE).create(&path) {
            Ok(database) => Ok(Self { path, database, today }),
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => Err(InferenceError::AnswersBusy { path }),
            Err(error) => {
                let problem = format!("cannot be opened ({error}): without the file everything is asked again");
                Err(InferenceError::Answers { path, problem })
            }
        }
    }

    /// What is known now.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, InferenceError> {
        let reading = self.database.begin_read().map_err(|error| self.failed("cannot be read", error))?;
        let table = match reading.open_table(ANSWERS) {
            Ok(table) => Some(table),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(self.failed("cannot be read", error)),
        };
        Ok(Snapshot { answers: self, table })
    }

    /// Keeps answers: once this returns they survive whatever happens.
    pub fn keep(&self, answers: &[(u128, Vec<Candidate>)]) -> Result<(), InferenceError> {
        let write = || -> Result<(), redb::Error> {
            let writing = self.database.begin_write()?;
            {
                let (mut table, mut uses) = (writing.open_table(ANSWERS)?, writing.open_table(USES)?);
                for (key, candidates) in answers {
                    table.insert(*key, encode(candidates).as_slice())?;
                    uses.insert(*key, self.today)?;
                }
                writing.open_table(DAYS)?.insert(LAST, self.today)?;
            }
            Ok(writing.commit()?)
        };
        write().map_err(|error| self.failed("cannot be written", error))
    }

    /// Questions a second that `model` last answered, where it is known.
    pub fn pace(&self, model: &str) -> Option<f64> {
        let paces = self.database.begin_read().ok()?.open_table(PACES).ok()?;
        Some(paces.get_owned(model).ok()??.value())
    }

    /// Keeps the pace of `model` for the next forecast.
    pub fn set_pace(&self, model: &str, pace: f64) -> Result<(), InferenceError> {
        let write = || -> Result<(), redb::Error> {
            let writing = self.database.begin_write()?;
            writing.open_table(PACES)?.insert(model, pace)?;
            Ok(writing.commit()?)
        };
        write().map_err(|error| self.failed("cannot be written", error))
    }

    fn failed(&self, doing: &str, error: impl Into<redb::Error>) -> InferenceError {
        InferenceError::Answers { path: self.path.clone(), problem: format!("{doing}: {}", error.into()) }
    }
}

impl Snapshot<'_> {
    /// The candidates of one question, where it was answered.
    pub fn get(&self, key: u128) -> Result<Option<Vec<Candidate>>, InferenceError> {
        let Some(table) = &self.table else { return Ok(None) };
        let found = table.get_owned(key).map_err(|error| self.answers.failed("cannot be read", error))?;
        // What cannot be decoded is of another build: asked again.
        Ok(found.and_then(|value| decode(value.value())))
    }
}

fn encode(candidates: &[Candidate]) -> Vec<u8> {
    let pairs: Vec<(&str, Option<f64>)> = candidates.iter().map(|one| (one.text.as_str(), one.probability)).collect();
    // Text and numbers always make JSON.
    serde_json::to_vec(&pairs).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Option<Vec<Candidate>> {
    let pairs: Vec<(String, Option<f64>)> = serde_json::from_slice(bytes).ok()?;
    Some(pairs.into_iter().map(|(text, probability)| Candidate { text, probability }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> Message {
        Message { role, content: content.into() }
    }

    #[test]
    fn a_question_is_named_by_all_that_decides_its_answer() {
        let free = |samples, temperature, seed, max_tokens| Decoding::Free { samples, temperature, seed, max_tokens };
        let (one, two) = (TaxonomyHash(1), TaxonomyHash(2));
        let user = |content| vec![message(Role::User, content)];
        let both = vec![message(Role::System, "a"), message(Role::User, "b")];
        let keys = [
            question_key("m", &user("a"), free(1, 0.0, 0, 8), one),
            question_key("n", &user("a"), free(1, 0.0, 0, 8), one),
            question_key("m", &user("b"), free(1, 0.0, 0, 8), one),
            question_key("m", &[message(Role::System, "a")], free(1, 0.0, 0, 8), one),
            question_key("m", &both, free(1, 0.0, 0, 8), one),
            question_key("m", &user("ab"), free(1, 0.0, 0, 8), one),
            question_key("m", &user("a"), free(2, 0.0, 0, 8), one),
            question_key("m", &user("a"), free(1, 0.5, 0, 8), one),
            question_key("m", &user("a"), free(1, 0.0, 1, 8), one),
            question_key("m", &user("a"), free(1, 0.0, 0, 9), one),
            question_key("m", &user("a"), Decoding::Constrained { best: 1 }, one),
            question_key("m", &user("a"), Decoding::Constrained { best: 2 }, one),
            question_key("m", &user("a"), Decoding::Constrained { best: 1 }, two),
        ];
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
        assert_eq!(keys[0], question_key("m", &user("a"), free(1, 0.0, 0, 8), two), "free answers know no clusters");
    }

    #[test]
    fn what_is_kept_is_there_when_the_file_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers.redb");
        let said = vec![
            Candidate { text: "jazz, \"piano\"\n".into(), probability: Some(0.25) },
            Candidate { text: String::new(), probability: None },
        ];
        let answers = Answers::open(&path).unwrap();
        assert_eq!(answers.snapshot().unwrap().get(7).unwrap(), None);
        answers.keep(&[(7, said.clone()), (8, Vec::new())]).unwrap();
        answers.set_pace("m", 2.5).unwrap();
        assert!(Answers::open(&path).err().unwrap().to_string().contains("open in another process"));
        drop(answers);
        let answers = Answers::open(&path).unwrap();
        let snapshot = answers.snapshot().unwrap();
        assert_eq!((snapshot.get(7).unwrap(), snapshot.get(8).unwrap()), (Some(said), Some(Vec::new())));
        assert_eq!((answers.pace("m"), answers.pace("n")), (Some(2.5), None));
    }

    #[test]
    fn a_file_that_is_none_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers.redb");
        std::fs::write(&path, "x".repeat(9000)).unwrap();
        let error = Answers::open(&path).err().unwrap().to_string();
        assert!(error.contains("answers.redb") && error.contains("everything is asked again"), "{error}");
    }
}
