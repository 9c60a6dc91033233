//! Coverage: how many questions find a key, and how many keys there are.

use serde::{Deserialize, Serialize};

/// What a candidate's table can answer by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Keys of all lengths.
    pub keys: u64,
    /// The live version's, where there is one.
    pub live_keys: Option<u64>,
    /// Held-out positions that were looked up in the table that leaves their users out.
    pub positions: u64,
    /// Those whose longest possible key was found.
    pub full: u64,
    /// Those that found a key of any length; the others were answered from popular.
    pub matched: u64,
}

impl Coverage {
    /// Takes one position: its history and table allow a key of `longest`, and one of `matched` was found, 0 for none.
    pub fn take(&mut self, longest: usize, matched: usize) {
        self.positions += 1;
        self.matched += u64::from(matched > 0);
        self.full += u64::from(matched >= longest);
    }
}
