//! Churn: how many keys change their answer against what is live.

use serde::{Deserialize, Serialize};

use super::overlap::Overlap;
use crate::table::Table;

/// A candidate beside the live version, over every key of that.
///
/// As for [`Overlap`], keys that a model left to what was retrieved have no answer that could be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// Keys of the live version that were compared, the longest that both tables can hold.
    pub keys: u64,
    /// Those whose answer is another.
    pub changed: u64,
    /// Those that have no row any more.
    pub gone: u64,
    /// Keys of both that fell back in one of them and were not compared.
    #[serde(default)]
    pub fell_back: u64,
}

impl Churn {
    /// Compares two tables; `None` where the live one has no such key.
    pub fn of<L: AsRef<[u8]>, C: AsRef<[u8]>>(live: &Table<L>, candidate: &Table<C>) -> Option<Self> {
        let Overlap { keys, identical, only_first: gone, fell_back, .. } = Overlap::of(live, candidate);
        let churn = Self { keys: keys + gone, changed: keys - identical, gone, fell_back };
        (churn.keys + fell_back > 0).then_some(churn)
    }

    /// Changed and gone as a share of the keys compared.
    pub fn share(&self) -> f64 {
        (self.changed + self.gone) as f64 / self.keys.max(1) as f64
    }
}
