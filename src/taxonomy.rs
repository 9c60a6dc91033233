//! The cluster set `C` (section 2.1): ids, their unique descriptions, and the hash that names the whole set.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::ids::ClusterId;

/// One interest cluster: an id and its keywords joined by `, `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The id of the clusters file.
    pub id: ClusterId,
    /// Keywords, trimmed and joined by `, `; unique within a taxonomy.
    pub description: String,
}

/// Names a taxonomy by content: equal hashes mean the same ids with the same descriptions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TaxonomyHash(pub u128);

impl fmt::Display for TaxonomyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TaxonomyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<TaxonomyHash> for String {
    fn from(hash: TaxonomyHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for TaxonomyHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16)
            .map(TaxonomyHash)
            .map_err(|_| format!("`{text}` is not a taxonomy hash: 32 hexadecimal digits are expected"))
    }
}

/// Why a set of clusters is not a taxonomy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaxonomyError {
    /// No cluster at all.
    #[error("there are no clusters: at least one row of cluster_id, keywords is needed")]
    Empty,
    /// A cluster without any keyword.
    #[error("cluster {0} has no keywords: give it at least one")]
    NoKeywords(ClusterId),
    /// The same id twice.
    #[error("cluster id {id} stands twice, for `{first}` and for `{second}`: ids must be unique")]
    DuplicateId {
        /// The id.
        id: ClusterId,
        /// The description met first.
        first: String,
        /// The description met second.
        second: String,
    },
    /// Two ids that an answer could not tell apart.
    #[error("clusters {first} and {second} share the description `{description}`: give one of them another keyword")]
    DuplicateDescription {
        /// The id met first.
        first: ClusterId,
        /// The id met second.
        second: ClusterId,
        /// What both are called.
        description: String,
    },
}

/// All clusters, in order of id, with the hash over ids and descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taxonomy {
    clusters: Vec<Cluster>,
    hash: TaxonomyHash,
}

impl Taxonomy {
    /// Builds a taxonomy from ids and comma-separated keywords, in any order.
    pub fn new<S: AsRef<str>>(rows: impl IntoIterator<Item = (ClusterId, S)>) -> Result<Self, TaxonomyError> {
        let clusters =
            rows.into_iter().map(|(id, keywords)| Cluster { id, description: description(keywords.as_ref()) });
        let mut clusters: Vec<Cluster> = clusters.collect();
        clusters.sort_by_key(|cluster| cluster.id);
        check(&clusters)?;
        let hash = hash(&clusters);
        Ok(Self { clusters, hash })
    }

    /// The clusters, ascending by id.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The hash over ids and descriptions.
    pub fn hash(&self) -> TaxonomyHash {
        self.hash
    }

    /// The position of `id` in [`Taxonomy::clusters`], the *dense index* that table rows use.
    pub fn index_of(&self, id: ClusterId) -> Option<u32> {
        let found = self.clusters.binary_search_by_key(&id, |cluster| cluster.id);
        found.ok().map(|index| u32::try_from(index).expect("ids are distinct u32, so their indices fit u32"))
    }
}

fn description(keywords: &str) -> String {
    let keywords: Vec<&str> = keywords.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    keywords.join(", ")
}

fn check(clusters: &[Cluster]) -> Result<(), TaxonomyError> {
    if clusters.is_empty() {
        return Err(TaxonomyError::Empty);
    }
    let mut described = HashMap::with_capacity(clusters.len());
    for (at, cluster) in clusters.iter().enumerate() {
        if cluster.description.is_empty() {
            return Err(TaxonomyError::NoKeywords(cluster.id));
        }
        if let Some(next) = clusters.get(at + 1).filter(|next| next.id == cluster.id) {
            let (first, second) = (cluster.description.clone(), next.description.clone());
            return Err(TaxonomyError::DuplicateId { id: cluster.id, first, second });
        }
        if let Some(first) = described.insert(cluster.description.as_str(), cluster.id) {
            let description = cluster.description.clone();
            return Err(TaxonomyError::DuplicateDescription { first, second: cluster.id, description });
        }
    }
    Ok(())
}

fn hash(clusters: &[Cluster]) -> TaxonomyHash {
    let mut hasher = Xxh3::new();
    for cluster in clusters {
        hasher.update(&cluster.id.0.to_le_bytes());
        // The length keeps `(1, "ab"), (…)` and `(1, "a"), (b…)` apart.
        hasher.update(&(cluster.description.len() as u64).to_le_bytes());
        hasher.update(cluster.description.as_bytes());
    }
    TaxonomyHash(hasher.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taxonomy(rows: &[(u32, &str)]) -> Result<Taxonomy, TaxonomyError> {
        Taxonomy::new(rows.iter().map(|&(id, keywords)| (ClusterId(id), keywords)))
    }

    #[test]
    fn keywords_are_split_trimmed_and_joined() {
        let taxonomy = taxonomy(&[(7, " jazz,piano , ,trio"), (3, "chess")]).unwrap();
        let descriptions: Vec<_> = taxonomy.clusters().iter().map(|c| (c.id.0, c.description.as_str())).collect();
        assert_eq!(descriptions, [(3, "chess"), (7, "jazz, piano, trio")]);
        assert_eq!(taxonomy.index_of(ClusterId(7)), Some(1));
        assert_eq!(taxonomy.index_of(ClusterId(4)), None);
    }

    #[test]
    fn the_hash_sees_content_not_order() {
        let one = taxonomy(&[(1, "a"), (2, "b")]).unwrap();
        assert_eq!(one.hash(), taxonomy(&[(2, "b"), (1, " a ")]).unwrap().hash());
        assert_ne!(one.hash(), taxonomy(&[(1, "b"), (2, "a")]).unwrap().hash());
    }

    #[test]
    fn what_is_no_taxonomy_is_named() {
        assert_eq!(taxonomy(&[]), Err(TaxonomyError::Empty));
        assert_eq!(taxonomy(&[(1, " , ")]), Err(TaxonomyError::NoKeywords(ClusterId(1))));
        let twice = taxonomy(&[(1, "a"), (1, "b")]).unwrap_err().to_string();
        assert!(twice.contains("cluster id 1 stands twice"), "{twice}");
        let same = taxonomy(&[(1, "a,b"), (2, "a , b")]).unwrap_err().to_string();
        assert!(same.contains("clusters 1 and 2 share the description `a, b`"), "{same}");
    }
}
