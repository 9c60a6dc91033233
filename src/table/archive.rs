//! The last section: what is small, and variable in length.

use rkyv::rancor::Error;

use super::error::{BuildError, OpenError};
use super::lineage::Lineage;
use super::row::{Entry, Score, Source};
use crate::ids::ClusterId;
use crate::taxonomy::{Taxonomy, TaxonomyHash};

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Archive {
    /// JSON, so that it can grow without a new format.
    lineage: String,
    taxonomy_hash: u128,
    ids: Vec<u32>,
    descriptions: Vec<String>,
    popular: Vec<PopularEntry>,
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct PopularEntry {
    index: u32,
    score: u16,
}

/// The archive's content, as lookups and operators need it.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) lineage: Lineage,
    pub(super) taxonomy: Taxonomy,
    pub(super) popular: Box<[Entry]>,
}

pub(super) fn encode(lineage: &Lineage, taxonomy: &Taxonomy, popular: &[Entry]) -> Result<Vec<u8>, BuildError> {
    let lineage = serde_json::to_string(lineage).map_err(|error| BuildError::Archive(error.to_string()))?;
    let clusters = taxonomy.clusters();
    let archive = Archive {
        lineage,
        taxonomy_hash: taxonomy.hash().0,
        ids: clusters.iter().map(|cluster| cluster.id.0).collect(),
        descriptions: clusters.iter().map(|cluster| cluster.description.clone()).collect(),
        popular: popular.iter().map(|entry| PopularEntry { index: entry.index, score: entry.score.0 }).collect(),
    };
    let bytes = rkyv::to_bytes::<Error>(&archive).map_err(|error| BuildError::Archive(error.to_string()))?;
    Ok(bytes.into_vec())
}

/// Checks the archive and reads it whole: it is small beside the rows, and what is read here needs no check again.
pub(super) fn decode(bytes: &[u8], clusters: u32) -> Result<Contents, OpenError> {
    let archive = rkyv::access::<ArchivedArchive, Error>(bytes).map_err(|error| refused(error.to_string()))?;
    let lineage = serde_json::from_str(&archive.lineage).map_err(|error| refused(format!("lineage: {error}")))?;
    if archive.ids.len() != clusters as usize || archive.descriptions.len() != archive.ids.len() {
        return Err(refused("the number of clusters differs from the header's".into()));
    }
    let rows = archive.ids.iter().zip(archive.descriptions.iter());
    let taxonomy = Taxonomy::new(rows.map(|(id, words)| (ClusterId(id.to_native()), words.as_str())));
    let taxonomy = taxonomy.map_err(|error| refused(error.to_string()))?;
    let stated = TaxonomyHash(archive.taxonomy_hash.to_native());
    if taxonomy.hash() != stated {
        let found = taxonomy.hash();
        return Err(refused(format!("the taxonomy hash is {found}, the file says {stated}")));
    }
    Ok(Contents { lineage, popular: popular(archive, clusters)?, taxonomy })
}

fn popular(archive: &ArchivedArchive, clusters: u32) -> Result<Box<[Entry]>, OpenError> {
    let mut seen = vec![false; clusters as usize];
    let mut entries = Vec::with_capacity(archive.popular.len());
    for entry in archive.popular.iter() {
        let index = entry.index.to_native();
        match seen.get_mut(index as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(refused(format!("the popular row's cluster index {index} is unknown or repeated"))),
        }
        entries.push(Entry { index, score: Score(entry.score.to_native()), source: Source::Popular });
    }
    Ok(entries.into())
}

fn refused(reason: String) -> OpenError {
    OpenError::Archive(reason)
}
