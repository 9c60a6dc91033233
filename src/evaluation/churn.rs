//! Churn: how many keys change their first prediction against what is live.

use serde::{Deserialize, Serialize};

use crate::table::{Row, Table};

/// The most keys that are compared. A table's rows lie in order of hash, so the first ones are a fair sample.
const SAMPLE: usize = 100_000;

/// A candidate beside the live version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// Keys of the live version that were looked up, the longest that both tables can hold.
    pub keys: u64,
    /// Those whose first prediction is another.
    pub changed: u64,
    /// Those that have no row any more.
    pub gone: u64,
}

impl Churn {
    /// Compares two tables; `None` where the live one has no such key.
    pub fn of<L: AsRef<[u8]>, C: AsRef<[u8]>>(live: &Table<L>, candidate: &Table<C>) -> Option<Self> {
        let mut churn = Self::default();
        for (key, row) in live.iter(live.k().min(candidate.k())).take(SAMPLE) {
            churn.keys += 1;
            let key: Option<Vec<u32>> = key.iter().map(|&cluster| candidate.index_of(cluster)).collect();
            match key.and_then(|key| candidate.find(&key)) {
                None => churn.gone += 1,
                Some(found) => churn.changed += u64::from(first(live, row) != first(candidate, found)),
            }
        }
        (churn.keys > 0).then_some(churn)
    }

    /// Changed and gone as a share of the keys compared.
    pub fn share(&self) -> f64 {
        (self.changed + self.gone) as f64 / self.keys.max(1) as f64
    }
}

fn first<B: AsRef<[u8]>>(table: &Table<B>, row: Row<'_>) -> Option<crate::ids::ClusterId> {
    row.entries().next().map(|entry| table.cluster_id(entry.index))
}
