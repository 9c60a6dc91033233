//! What lies in the process's own memory.

use hashbrown::HashMap;

use super::{Peer, for_each};
use crate::keys::{KeySet, VALUE};

/// Searched by halving.
pub(crate) struct SortedArray {
    keys: Vec<u64>,
    values: Vec<[u8; VALUE]>,
}

impl SortedArray {
    pub(crate) fn fill(keys: &KeySet) -> Self {
        let total = keys.total() as usize;
        let mut array = Self { keys: Vec::with_capacity(total), values: Vec::with_capacity(total) };
        for_each(keys, |key, value| {
            array.keys.push(key);
            array.values.push(value);
        });
        array
    }
}

impl Peer for SortedArray {
    #[inline]
    fn get<R>(&self, key: u64, take: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let at = self.keys.binary_search(&key).ok()?;
        Some(take(&self.values[at]))
    }
}

pub(crate) struct HashTable(HashMap<u64, [u8; VALUE]>);

impl HashTable {
    pub(crate) fn fill(keys: &KeySet) -> Self {
        let mut table = HashMap::with_capacity(keys.total() as usize);
        for_each(keys, |key, value| {
            table.insert(key, value);
        });
        Self(table)
    }
}

impl Peer for HashTable {
    #[inline]
    fn get<R>(&self, key: u64, take: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.0.get(&key).map(|value| take(value))
    }
}
