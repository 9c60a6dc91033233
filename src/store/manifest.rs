//! What is known of a version without opening its table.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::VersionId;
use crate::table::{Lineage, Table};
use crate::taxonomy::TaxonomyHash;

/// Who adds a version, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// A person or a program.
    pub creator: String,
    /// For people.
    pub reason: String,
    /// The version this one replaces or was made from.
    pub parent: Option<VersionId>,
    /// What it changes beside the version that was live, where there was one.
    pub changed: Option<Changed>,
}

/// How many keys of the live version a new one answers otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The version that was live.
    pub against: VersionId,
    /// Its longest keys that were compared: all but those that fell back.
    pub keys: u64,
    /// Those whose answer is another.
    pub changed: u64,
    /// Those that have no row any more.
    pub gone: u64,
    /// Keys of both that a language model left to what was retrieved, in either.
    #[serde(default)]
    pub fell_back: u64,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { against, keys, changed, gone, fell_back } = self;
        let share = 100.0 * (changed + gone) as f64 / (*keys).max(1) as f64;
        write!(f, "{share:.1} % of {keys} keys of {against} ({changed} answered otherwise, {gone} gone)")?;
        if *fell_back > 0 {
            write!(f, "; {fell_back} more fell back and are not compared")?;
        }
        Ok(())
    }
}

/// A version's description: `manifest.json` beside its table, never changed once the version has its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version's number.
    pub version: VersionId,
    /// When it was added.
    pub created: DateTime<Utc>,
    /// Who added it.
    pub creator: String,
    /// Why.
    pub reason: String,
    /// The version this one replaces or was made from.
    pub parent: Option<VersionId>,
    /// What this refresh changed; none for a first version, and where the live one could not be compared with.
    #[serde(default)]
    pub changed: Option<Changed>,
    /// The clusters that the table speaks of.
    pub taxonomy_hash: TaxonomyHash,
    /// [`Table::checksum`] in 16 hexadecimal digits.
    pub checksum: String,
    /// The table file's length in bytes.
    pub table_bytes: u64,
    /// The longest key.
    pub k: usize,
    /// The most candidates a row can hold.
    pub width: usize,
    /// Keys stored, by key length, of length 1 first.
    pub keys: Vec<u64>,
    /// Where the table comes from.
    pub lineage: Lineage,
}

impl Manifest {
    /// Describes `table` as `version`.
    pub(super) fn of<B: AsRef<[u8]>>(table: &Table<B>, version: VersionId, provenance: Provenance) -> Self {
        let Provenance { creator, reason, parent, changed } = provenance;
        Self {
            version,
            created: Utc::now(),
            creator,
            reason,
            parent,
            changed,
            taxonomy_hash: table.taxonomy().hash(),
            checksum: checksum(table),
            table_bytes: table.bytes().as_ref().len() as u64,
            k: table.k(),
            width: table.width(),
            keys: table.sections().map(|section| section.rows).collect(),
            lineage: table.lineage().clone(),
        }
    }
}

/// A table's checksum as manifests spell it.
pub(super) fn checksum<B: AsRef<[u8]>>(table: &Table<B>) -> String {
    format!("{:016x}", table.checksum())
}
