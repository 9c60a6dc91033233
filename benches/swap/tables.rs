//! Two versions of one table, to swap between.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use segue::ids::ClusterId;
use segue::ids::VersionId;
use segue::store::{Admit, Config, Provenance, Store};
use segue::table::{BuildLimits, Candidate, Lineage, Score, Shape, Source, TableBuilder};
use segue::taxonomy::Taxonomy;

use crate::args::Args;
use crate::{MIB, Outcome};

/// The store with both, built where it is not there yet.
pub(crate) fn store(args: &Args) -> Outcome<Store> {
    let dir = args.dir.join(args.size.to_string());
    if open(&dir)?.versions()?.len() < 2 {
        // Of a run that was cut off.
        std::fs::remove_dir_all(&dir)?;
        let mut builder = Command::new(std::env::current_exe()?);
        let built = builder.arg("--build").arg(&dir).args(["--size", &args.size.to_string()]).status()?;
        if !built.success() {
            return Err("the table could not be built".into());
        }
    }
    let store = open(&dir)?;
    println!("table: {} MiB", store.manifest(VersionId(1))?.table_bytes / MIB);
    Ok(store)
}

pub(crate) fn open(dir: &Path) -> Outcome<Store> {
    let path = dir.to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
    Ok(Store::open(&Config { path, admit: Admit::Any, ..Config::default() })?)
}

pub(crate) fn build(dir: &Path, size: u64) -> Outcome<()> {
    let began = Instant::now();
    let store = open(dir)?;
    let mut draft = store.draft()?;
    write_table(draft.table(), size, dir)?;
    let first = store.add(draft, Provenance::default())?;
    let mut draft = store.draft()?;
    std::io::copy(&mut File::open(store.table_path(first.version))?, draft.table())?;
    store.add(draft, Provenance::default())?;
    println!("built and added twice in {:.1?}", began.elapsed());
    Ok(())
}

/// Every pair of as many clusters as give about `size` bytes.
fn write_table(file: &mut File, size: u64, spill_dir: &Path) -> Outcome<()> {
    // A slot is 64 bytes, and four of five are filled.
    let rows = size / 64 * 4 / 5;
    let clusters = (rows as f64).sqrt() as u32 + 1;
    let taxonomy = Taxonomy::new((0..clusters).map(|id| (ClusterId(id), format!("cluster {id}"))))?;
    let limits = BuildLimits { memory: 256 << 20, spill_dir: spill_dir.to_owned() };
    let mut builder = TableBuilder::new(file, &taxonomy, Shape { k: 2, width: 8 }, limits)?;
    for first in 0..clusters {
        for second in (0..clusters).filter(|&second| second != first) {
            let next = (1..).map(|step| (first + second + step) % clusters);
            let cluster = next.into_iter().find(|&next| next != first && next != second).unwrap_or_default();
            let candidate = Candidate { cluster: ClusterId(cluster), score: Score::ONE, source: Source::Retrieved };
            builder.push(&[ClusterId(first), ClusterId(second)], &[candidate])?;
        }
    }
    builder.finish(&Lineage::default(), &[])?;
    Ok(())
}
