//! What can go wrong in the store.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::judgement::State;
use super::models::ModelError;
use crate::ids::{ClusterId, VersionId};
use crate::table::VerifyError;
use crate::taxonomy::TaxonomyHash;

/// Why the store refused, or could not do, what it was asked. Nothing is lost by any of them: channels stay where they
/// were, and what was half written is private and swept later.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A setting that no store can have.
    #[error("[store] {field} = `{value}`: {remedy}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What it was set to.
        value: String,
        /// What to set it to.
        remedy: &'static str,
    },
    /// The file system refused.
    #[error("{doing} {} failed: {source}{}", path.display(), remedy(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Something lies in the store that the store did not put there.
    #[error("{} is not {expected}: move it out of the store", path.display())]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// What its place is for.
        expected: &'static str,
    },
    /// A manifest or a move that is not what the store writes.
    #[error("{} is damaged ({problem}): restore it from a backup of the store", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A table file that is torn, foreign or changed.
    #[error("{}: {source}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: VerifyError,
    },
    /// A sound table, but not the one that its manifest describes.
    #[error(
        "{} has the checksum {found}, its manifest says {stated}: it was exchanged; publish another version",
        path.display()
    )]
    Exchanged {
        /// The table file.
        path: PathBuf,
        /// The manifest's checksum.
        stated: String,
        /// The file's checksum.
        found: String,
    },
    /// No such version, or no longer.
    #[error("there is no version {version} in {}: it was never added, or gc removed it", path.display())]
    NoVersion {
        /// The version.
        version: VersionId,
        /// The folder of versions.
        path: PathBuf,
    },
    /// No such channel.
    #[error("there is no channel `{name}`: publish a version to it first")]
    NoChannel {
        /// The name.
        name: String,
    },
    /// A name that no channel can have.
    #[error("`{name}` cannot name a channel: use 1 to 64 of the characters a-z, 0-9, _ and -")]
    ChannelName {
        /// The name.
        name: String,
    },
    /// A note that is too long to be kept with every move.
    #[error("`{field}` has {len} bytes, at most {max} are kept: shorten it")]
    NoteTooLong {
        /// `who`, `why`, `creator` or `reason`.
        field: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The bound.
        max: usize,
    },
    /// The version speaks of other clusters than the channel's readers do.
    #[error(
        "{version} has the taxonomy {hash}, channel `{channel}` is at {current} with {current_hash}: their clusters \
         differ; allow the change of taxonomy if it is meant"
    )]
    Taxonomy {
        /// The channel.
        channel: String,
        /// What the channel points at.
        current: VersionId,
        /// The taxonomy of that version.
        current_hash: TaxonomyHash,
        /// What was to be published.
        version: VersionId,
        /// The taxonomy of that version.
        hash: TaxonomyHash,
    },
    /// A version that carries neither a passing report nor an approval.
    #[error("{version} {}", not_admitted(*version, *state, why))]
    NotAdmitted {
        /// The version.
        version: VersionId,
        /// Its state: unjudged, held or rejected.
        state: State,
        /// What its last judgement says.
        why: String,
    },
    /// A judgement by hand that nobody will understand later.
    #[error("{what} is not {state} without a reason: say why")]
    NoReason {
        /// The version, or the model.
        what: String,
        /// What it was to become.
        state: String,
    },
    /// A tuned model.
    #[error(transparent)]
    Model(ModelError),
    /// A rejection of what is live.
    #[error(
        "channel `{channel}` points at {version}: roll it back, or publish another version, and then reject this one"
    )]
    Live {
        /// The version.
        version: VersionId,
        /// The channel.
        channel: String,
    },
    /// A version that was made without explanations.
    #[error("{version} has no explanations beside its table: it was made without them (refresh.explain)")]
    NoExplanations {
        /// The version.
        version: VersionId,
    },
    /// An explanation that cannot be kept.
    #[error("the explanation of {key:?} {problem}")]
    Explanation {
        /// The key.
        key: Vec<ClusterId>,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A rollback from a channel's first version.
    #[error("channel `{channel}` is at {version} and pointed to nothing before it: publish another version instead")]
    NothingBefore {
        /// The channel.
        channel: String,
        /// Where it is.
        version: VersionId,
    },
    /// A rollback to where the channel never was.
    #[error("channel `{channel}` never pointed at {version}: to go there, publish it")]
    NeverThere {
        /// The channel.
        channel: String,
        /// The version asked for.
        version: VersionId,
    },
}

fn not_admitted(version: VersionId, state: State, why: &str) -> String {
    let again = format!("`segue versions approve {version} --why ...` lets it go live");
    match state {
        State::Held => format!("is held by its gates ({why}): `segue versions show {version}` tells more; {again}"),
        State::Rejected => format!("was rejected ({why}): {again} after all"),
        State::Unjudged | State::Passed | State::Approved => format!(
            "carries neither a passing report nor an approval: {again}, store.admit = \"any\" takes every version"
        ),
    }
}

/// Names the operation and the path of an I/O error.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}

/// What to do about the errors that an operator can mend.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space (`versions gc` helps) and try again",
        ErrorKind::FileTooLarge => "; raise the limit on file sizes (ulimit -f) and try again",
        ErrorKind::PermissionDenied => "; give this user the right to, or choose another folder",
        ErrorKind::ReadOnlyFilesystem => "; mount it writable, or choose another folder",
        ErrorKind::NotADirectory => "; a file lies where a folder is needed: move it away",
        _ => "",
    }
}
