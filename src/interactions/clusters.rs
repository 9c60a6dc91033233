//! The clusters file: the predefined cluster set `C` (section 2.1).

use std::path::PathBuf;

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::columns::known;
use crate::ids::ClusterId;
use crate::taxonomy::{Taxonomy, TaxonomyError};

/// Where the clusters are (`[clusters]`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClustersConfig {
    /// A CSV file with the columns `cluster_id` and `keywords`, which are comma-separated; others are ignored.
    pub path: PathBuf,
}

impl Default for ClustersConfig {
    fn default() -> Self {
        Self { path: PathBuf::from("clusters.csv") }
    }
}

/// Why a clusters file gives no taxonomy.
#[derive(Debug, thiserror::Error)]
pub enum ClustersError {
    /// Not to be read, or not CSV.
    #[error("cannot read the clusters file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the reader says, with the line.
        source: csv::Error,
    },
    /// No such column.
    #[error("clusters file {path} has no column `{column}`; {known}")]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The name looked for.
        column: &'static str,
        /// The names it has.
        known: String,
    },
    /// An id that is none.
    #[error("clusters file {path}, line {line}: `{found}` is no cluster_id: a whole number from 0 to 4294967295")]
    Id {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// Rows that make no taxonomy together.
    #[error("clusters file {path}: {source}")]
    Taxonomy {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: TaxonomyError,
    },
}

/// Reads the clusters file.
pub fn load_taxonomy(config: &ClustersConfig) -> Result<Taxonomy, ClustersError> {
    let path = || config.path.clone();
    let read = |source| ClustersError::Read { path: path(), source };
    let mut reader = csv::Reader::from_path(&config.path).map_err(read)?;
    let header = reader.headers().map_err(read)?.clone();
    let position = |column| {
        let found = header.iter().position(|name| name.trim() == column);
        found.ok_or_else(|| ClustersError::MissingColumn { path: path(), column, known: known(column, &header) })
    };
    let (id, keywords) = (position("cluster_id")?, position("keywords")?);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(read)?;
        let field = |position| record.get(position).unwrap_or_default();
        let found = field(id).trim();
        let id =
            found.parse().map_err(|_| ClustersError::Id { path: path(), line: line(&record), found: found.into() });
        rows.push((ClusterId(id?), field(keywords).to_owned()));
    }
    Taxonomy::new(rows).map_err(|source| ClustersError::Taxonomy { path: path(), source })
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load(text: &str) -> Result<Taxonomy, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clusters.csv");
        fs::write(&path, text).unwrap();
        load_taxonomy(&ClustersConfig { path }).map_err(|e| e.to_string())
    }

    #[test]
    fn columns_are_found_by_name_and_others_ignored() {
        let taxonomy = load("title,keywords,cluster_id\nx,\"jazz, piano\", 7\ny,chess,3\n").unwrap();
        let clusters: Vec<_> = taxonomy.clusters().iter().map(|c| (c.id.0, c.description.as_str())).collect();
        assert_eq!(clusters, [(3, "chess"), (7, "jazz, piano")]);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        for (text, problem) in [
            ("cluster,keywords\n1,a\n", "no column `cluster_id`; did you mean `cluster`?"),
            ("cluster_id,keywords\n1,a\nx,b\n", "clusters.csv, line 3: `x` is no cluster_id"),
            ("cluster_id,keywords\n-1,a\n", "line 2: `-1` is no cluster_id"),
            ("cluster_id,keywords\n1,a\n2\n", "line: 3"),
            ("cluster_id,keywords\n", "there are no clusters"),
            ("cluster_id,keywords\n1,a\n2,a\n", "clusters 1 and 2 share the description `a`"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains("clusters.csv") && error.contains(problem), "{error}");
        }
        let nowhere = load_taxonomy(&ClustersConfig { path: "no/clusters.csv".into() }).unwrap_err().to_string();
        assert!(nowhere.contains("no/clusters.csv"), "{nowhere}");
    }
}
