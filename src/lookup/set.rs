//! A set of clusters by dense index.

/// One bit for each cluster. Indices beyond its size are never members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSet {
    words: Vec<u64>,
}

impl ClusterSet {
    /// The set of `indices`.
    pub fn of(indices: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::default();
        for index in indices {
            set.grow(index as usize + 1);
            set.insert(index);
        }
        set
    }

    /// Makes room for indices below `clusters`.
    pub(super) fn grow(&mut self, clusters: usize) {
        let words = clusters.div_ceil(64);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
    }

    /// Adds an index within the size; true if it was not in before.
    #[inline]
    pub(super) fn insert(&mut self, index: u32) -> bool {
        let Some(word) = self.words.get_mut(index as usize / 64) else { return false };
        let before = *word;
        *word |= 1 << (index % 64);
        *word != before
    }

    /// Takes an index out, if it is in.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) {
        if let Some(word) = self.words.get_mut(index as usize / 64) {
            *word &= !(1 << (index % 64));
        }
    }

    /// Whether the index is a member.
    #[inline]
    pub fn contains(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }
}
