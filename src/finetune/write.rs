//! Samples as files: chat JSON lines that trainers and providers take as they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::json;
use xxhash_rust::xxh3::Xxh3;

use super::draw::Sample;
use super::error::FinetuneError;
use super::manifest::{Manifest, SplitManifest};
use crate::files::unique_path;
use crate::ids::ClusterId;
use crate::inference::{Prompts, Role};

/// Writes everything to `write`'s private directory, and gives it the name `dir` once it is whole.
pub(super) fn directory(
    dir: &Path,
    write: impl FnOnce(&Path) -> Result<Manifest, FinetuneError>,
) -> Result<Manifest, FinetuneError> {
    if dir.exists() {
        return Err(FinetuneError::Exists(dir.to_owned()));
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(failed("making the folder", parent))?;
    let private = unique_path(parent, ".samples");
    std::fs::create_dir(&private).map_err(failed("making the folder", &private))?;
    let written = write(&private).and_then(|manifest| {
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| failed("encoding", dir)(error.into()))?;
        file(&private.join("manifest.json"), &text)?;
        sync(&private)?;
        std::fs::rename(&private, dir).map_err(failed("naming", dir))?;
        sync(parent)?;
        Ok(manifest)
    });
    if written.is_err() {
        // What stays is hidden and named by its process.
        let _ = std::fs::remove_dir_all(&private);
    }
    written
}

/// Writes one file of samples.
pub(super) fn split(
    path: &Path,
    samples: &[Sample],
    seen: BTreeMap<ClusterId, u64>,
    prompts: &Prompts,
) -> Result<SplitManifest, FinetuneError> {
    let mut text = Vec::new();
    let mut labels = BTreeMap::new();
    for sample in samples {
        let role = |role| match role {
            Role::System => "system",
            Role::User => "user",
        };
        let prompt = prompts.render(&sample.key, &sample.context)?;
        let turns = prompt.into_iter().map(|turn| json!({ "role": role(turn.role), "content": turn.content }));
        let answer = json!({ "role": "assistant", "content": prompts.vocabulary().name(sample.next) });
        let turns: Vec<_> = turns.chain([answer]).collect();
        text.extend_from_slice(json!({ "messages": turns }).to_string().as_bytes());
        text.push(b'\n');
        *labels.entry(sample.next).or_default() += 1;
    }
    file(path, &text)?;
    let mut hasher = Xxh3::new();
    hasher.update(&text);
    Ok(SplitManifest { samples: samples.len(), xxh3: format!("{:032x}", hasher.digest128()), labels, seen })
}

fn file(path: &Path, text: &[u8]) -> Result<(), FinetuneError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().map_err(failed("writing", path))
}

fn sync(dir: &Path) -> Result<(), FinetuneError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("syncing the folder", dir))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FinetuneError {
    let path = path.to_owned();
    move |source| FinetuneError::Io { doing, path, source }
}
