//! A set of clusters by dense index.

/// One bit for each cluster. Indices beyond its size are never members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSet {
    words: Vec<u64>,
}

impl ClusterSet {
    /// The set of `indices`.
    pub fn of(indices: impl IntoIterator<Item = u32> + Clone) -> Self {
        let mut set = Self::default();
        set.clear(indices.clone().into_iter().max().map_or(0, |highest| highest as usize + 1));
        indices.into_iter().for_each(|index| set.insert(index));
        set
    }

    /// Takes everything out, and makes room for indices below `clusters`.
    pub(super) fn clear(&mut self, clusters: usize) {
        self.words.clear();
        self.words.resize(clusters.div_ceil(64), 0);
    }

    /// Adds an index within the size.
    #[inline]
    pub(super) fn insert(&mut self, index: u32) {
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether the index is a member.
    #[inline]
    pub fn contains(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}
