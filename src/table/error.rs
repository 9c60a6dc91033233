//! What can go wrong with a table, by operation.

use std::io::{self, ErrorKind};

use crate::ids::ClusterId;

/// Why bytes are not a table that this build can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Fewer bytes than the format's fixed parts.
    #[error("the file has {len} bytes where at least {needed} are needed: it was cut off; publish it again")]
    Short {
        /// Bytes present.
        len: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// Another kind of file.
    #[error("the file does not start as a Segue table does: it is something else, or its first bytes were overwritten")]
    NotATable,
    /// A format of another time.
    #[error(
        "the table is of format {found}, this build reads format {known}: use a build that knows it, or publish again"
    )]
    Format {
        /// The file's format.
        found: u32,
        /// The format of this build.
        known: u32,
    },
    /// Header fields that contradict the format or each other.
    #[error(
        "the header makes no sense (k {k}, width {width}, sections {sections}, clusters {clusters}): publish again"
    )]
    Header {
        /// Key length stated.
        k: usize,
        /// Row width stated.
        width: usize,
        /// Sections stated.
        sections: usize,
        /// Clusters stated.
        clusters: u32,
    },
    /// A directory entry that contradicts the format.
    #[error("the directory's {field} of section `{section}` make no sense: publish again")]
    Directory {
        /// Which section.
        section: String,
        /// Which field.
        field: &'static str,
    },
    /// The file is longer or shorter than it says.
    #[error("the file has {found} bytes, its header says {stated}: it was cut off or appended to; publish it again")]
    Length {
        /// Bytes stated.
        stated: u64,
        /// Bytes present.
        found: u64,
    },
    /// Bytes changed since they were written.
    #[error("checksum of the {part} is {found:016x}, the file says {stated:016x}: it is damaged; publish it again")]
    Checksum {
        /// The part of the file.
        part: String,
        /// The checksum in the file.
        stated: u64,
        /// The checksum of the bytes.
        found: u64,
    },
    /// The archive of lineage, clusters and popular row does not hold together.
    #[error("the archive of lineage and clusters cannot be read ({0}): publish again")]
    Archive(String),
}

/// Why a table that opens is still not to be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Damage that the fixed parts already show.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A slot that breaks the format's rules.
    #[error("slot {slot} of `{section}` is wrong: {problem}; publish the table again")]
    Slot {
        /// Which section.
        section: String,
        /// Which slot of it.
        slot: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A section's totals differ from its slots.
    #[error("`{section}` holds {found} {what}, its directory says {stated}; publish the table again")]
    Total {
        /// Which section.
        section: String,
        /// What was counted.
        what: &'static str,
        /// What the directory says.
        stated: u64,
        /// What was counted in the slots.
        found: u64,
    },
}

/// Why a table could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A key length or width that the format does not have.
    #[error("k = {k}, width = {width}: k is 1 to {max_k} and width 1 to {max_width}", max_k = super::format::MAX_K, max_width = super::format::MAX_WIDTH)]
    Shape {
        /// Key length asked for.
        k: usize,
        /// Row width asked for.
        width: usize,
    },
    /// A key longer than k, or empty.
    #[error("key {key:?} has {} clusters, the table takes 1 to {k}", key.len())]
    KeyLength {
        /// The key.
        key: Vec<ClusterId>,
        /// The longest allowed.
        k: usize,
    },
    /// Sections are written one after the other, so lengths must not grow.
    #[error("key {key:?} of {} clusters came after keys of {after}: push the longest keys first", key.len())]
    Order {
        /// The key.
        key: Vec<ClusterId>,
        /// The length that was pushed before.
        after: usize,
    },
    /// A cluster that the taxonomy lacks.
    #[error(
        "cluster {cluster} of key {key:?} is not in the taxonomy: build with the clusters file it was counted with"
    )]
    UnknownCluster {
        /// The cluster.
        cluster: ClusterId,
        /// The key whose row names it; empty for the popular row.
        key: Vec<ClusterId>,
    },
    /// A row that breaks the rules.
    #[error("the row of key {key:?} is wrong: {problem}")]
    Row {
        /// The key; empty for the popular row.
        key: Vec<ClusterId>,
        /// What is wrong.
        problem: &'static str,
    },
    /// The same key twice.
    #[error("key {0:?} was pushed twice: merge its candidates into one row")]
    DuplicateKey(Vec<ClusterId>),
    /// The lineage or the archive could not be encoded.
    #[error("the archive of lineage and clusters cannot be written: {0}")]
    Archive(String),
    /// Writing failed.
    #[error("{doing} failed: {source}{}", remedy(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// What to do about the errors that an operator can mend.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space in the store, and in table.spill_dir, and try again"
        }
        ErrorKind::FileTooLarge => "; raise the limit on file sizes (ulimit -f) and try again",
        _ => "",
    }
}
