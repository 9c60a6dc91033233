//! `segue table`: a table file, looked into or proven.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use super::{Common, output};
use crate::config::Config;
use crate::ids::VersionId;
use crate::store::Store;
use crate::table::Table;

/// Arguments of `segue table`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What a table holds: shape, keys by length, clusters, lineage
    Inspect {
        /// A version of the store (v123), or a file
        table: String,
    },
    /// Prove every byte: checksums, order, ranges, totals
    Verify {
        /// A version of the store (v123), or a file
        table: String,
    },
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    match args.verb {
        Verb::Inspect { table } => inspect(common, &path(&config, &table)?)?,
        Verb::Verify { table } => verify(common, &path(&config, &table)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `v123` and `123` name a version, unless a file is called so.
fn path(config: &Config, table: &str) -> anyhow::Result<PathBuf> {
    let file = PathBuf::from(table);
    match table.parse::<VersionId>() {
        Ok(version) if !file.exists() => {
            let store = Store::open(&config.store)?;
            let path = store.table_path(version);
            if !path.exists() {
                store.manifest(version)?;
            }
            Ok(path)
        }
        _ => Ok(file),
    }
}

/// Reads a table whole, so that nothing done to the file meanwhile matters.
pub(super) fn read(path: &Path) -> anyhow::Result<Table<Vec<u8>>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Table::open(bytes).with_context(|| path.display().to_string())
}

fn inspect(common: &Common, path: &Path) -> anyhow::Result<()> {
    let table = read(path)?;
    let (lineage, taxonomy) = (table.lineage(), table.taxonomy());
    let sections: Vec<_> = table.sections().collect();
    let checksum = format!("{:016x}", table.checksum());
    if common.json {
        let keys = sections.iter().map(|section| {
            let (slots, stride, longest_probe) = (section.slots, section.stride, section.longest_probe);
            json!({ "length": section.key_len, "keys": section.rows, "slots": slots, "slot_bytes": stride, "longest_probe": longest_probe })
        });
        return output::json(&json!({
            "path": path, "bytes": table.bytes().len(), "checksum": checksum, "k": table.k(), "width": table.width(),
            "clusters": taxonomy.clusters().len(), "taxonomy_hash": taxonomy.hash(), "popular": table.popular().len(),
            "sections": keys.collect::<Vec<_>>(), "lineage": lineage,
        }));
    }
    let mut rows = vec![
        ("file", path.display().to_string()),
        ("bytes", table.bytes().len().to_string()),
        ("checksum", checksum),
        ("k, width", format!("{}, {}", table.k(), table.width())),
        ("clusters", format!("{} ({})", taxonomy.clusters().len(), taxonomy.hash())),
        ("popular", table.popular().len().to_string()),
    ];
    rows.extend(sections.iter().map(|section| {
        let (keys, slots, stride, probe) = (section.rows, section.slots, section.stride, section.longest_probe);
        let text =
            format!("{keys} keys of {} in {slots} slots of {stride} bytes, longest probe {probe}", section.key_len);
        ("section", text)
    }));
    let lineage = serde_json::to_value(lineage)?;
    let lineage = lineage.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value.to_string()));
    let rows = rows.into_iter().chain(lineage).map(|(name, value)| vec![name.to_owned(), value]);
    Ok(output::columns(&rows.collect::<Vec<_>>())?)
}

fn verify(common: &Common, path: &Path) -> anyhow::Result<()> {
    let table = read(path)?;
    table.verify().with_context(|| path.display().to_string())?;
    let keys: u64 = table.sections().map(|section| section.rows).sum();
    if common.json {
        return output::json(&json!({ "path": path, "verified": true, "keys": keys, "bytes": table.bytes().len() }));
    }
    let (path, bytes) = (path.display(), table.bytes().len());
    Ok(output::line(format_args!("{path}: {keys} keys in {bytes} bytes, every byte as it was written"))?)
}
