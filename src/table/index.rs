//! From cluster ids to the dense indices of rows, and back.

use super::format::LINE;
use crate::ids::ClusterId;
use crate::taxonomy::Taxonomy;

/// From ids to dense indices and back.
#[derive(Debug)]
pub(super) struct ClusterIndex {
    /// By index, ascending.
    ids: Box<[u32]>,
    /// By id, where ids are nearly dense, as they mostly are: one read of an array instead of a search.
    indices: Option<Box<[u32]>>,
}

/// Marks an id of no cluster.
const ABSENT: u32 = u32::MAX;

impl ClusterIndex {
    pub(super) fn new(taxonomy: &Taxonomy) -> Self {
        let ids: Box<[u32]> = taxonomy.clusters().iter().map(|cluster| cluster.id.0).collect();
        let highest = ids.last().map_or(0, |&id| id as usize);
        let nearly_dense = highest <= 8 * ids.len() + LINE;
        let indices = nearly_dense.then(|| {
            let mut indices = vec![ABSENT; highest + 1];
            for (index, &id) in ids.iter().enumerate() {
                indices[id as usize] = index as u32;
            }
            indices.into()
        });
        Self { ids, indices }
    }

    #[inline]
    pub(super) fn get(&self, ClusterId(id): ClusterId) -> Option<u32> {
        match &self.indices {
            Some(indices) => indices.get(id as usize).copied().filter(|&index| index != ABSENT),
            None => self.ids.binary_search(&id).ok().map(|index| index as u32),
        }
    }

    /// The id at an index that this gave.
    ///
    /// # Panics
    /// On an index of no cluster.
    #[inline]
    pub(super) fn id(&self, index: u32) -> ClusterId {
        ClusterId(self.ids[index as usize])
    }

    /// How many clusters there are.
    pub(super) fn clusters(&self) -> u32 {
        u32::try_from(self.ids.len()).expect("ids are distinct u32; 2^32 of them do not fit in memory")
    }
}
