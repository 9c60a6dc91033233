//! The clusters that a question names, which its answer may not.

use super::{ClusterSet, Query};
use crate::ids::ClusterId;
use crate::table::Table;

/// A history and an exclusion list: searched where they are short, as they mostly are, and else as a set.
pub(super) enum Asked<'a> {
    Short(Query<'a>),
    Long(&'a ClusterSet),
}

/// Clusters that are faster compared one by one than made a set of.
const SHORT: usize = 32;

impl<'a> Asked<'a> {
    #[inline]
    pub(super) fn of<B: AsRef<[u8]>>(query: Query<'a>, table: &Table<B>, set: &'a mut ClusterSet) -> Self {
        if query.history.len() + query.exclude.len() <= SHORT {
            return Self::Short(query);
        }
        set.clear(table.taxonomy().clusters().len());
        let lists = query.history.iter().chain(query.exclude);
        for index in lists.filter_map(|&id| table.index_of(ClusterId(id))) {
            set.insert(index);
        }
        Self::Long(set)
    }

    /// Whether the question names a cluster, whose index in the table is `index`.
    #[inline]
    pub(super) fn names(&self, cluster: ClusterId, index: u32) -> bool {
        match self {
            Self::Short(query) => query.history.contains(&cluster.0) || query.exclude.contains(&cluster.0),
            Self::Long(set) => set.contains(index),
        }
    }
}
