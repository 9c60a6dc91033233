//! How well a table agrees with the truth of a day.

use crate::ids::ClusterId;
use crate::simulate::Truth;
use crate::table::Table;

/// Predictions of a row that are held against the truth.
const TOP: usize = 5;

/// The pairs that are looked at: those of the first table, so that all tables answer the same questions.
pub(super) struct Pairs(Vec<[ClusterId; 2]>);

impl Pairs {
    pub(super) fn of<B: AsRef<[u8]>>(table: &Table<B>) -> Self {
        Self(table.iter(2).filter_map(|(key, _)| key.try_into().ok()).collect())
    }

    /// The mean share, 0 to 1, of the truth's preferred successors among a row's top five. A pair without a row agrees
    /// with nothing.
    pub(super) fn agreement<B: AsRef<[u8]>>(&self, table: &Table<B>, truth: &Truth<'_>) -> f64 {
        let shares = self.0.iter().map(|&[older, newer]| {
            let preferred = truth.preferred(older, newer);
            let named = top(table, [older, newer]);
            let agreed = preferred.iter().filter(|successor| named.contains(&successor.cluster)).count();
            agreed as f64 / preferred.len().max(1) as f64
        });
        shares.sum::<f64>() / self.0.len().max(1) as f64
    }
}

fn top<B: AsRef<[u8]>>(table: &Table<B>, key: [ClusterId; 2]) -> Vec<ClusterId> {
    let [Some(older), Some(newer)] = key.map(|cluster| table.index_of(cluster)) else { return Vec::new() };
    let row = table.find(&[older, newer]).into_iter().flat_map(|row| row.entries().take(TOP));
    row.map(|entry| table.cluster_id(entry.index)).collect()
}
