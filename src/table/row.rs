//! A slot's fields, and how they lie in its bytes.

use serde::{Deserialize, Serialize};

use super::format;
use crate::ids::ClusterId;

/// Where a prediction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Source {
    /// A language model's answer (section 2.3).
    Llm = 1,
    /// A successor counted in the logs (section 2.4).
    Retrieved = 2,
    /// A cluster popular with everyone; only ever in the popular row.
    Popular = 3,
}

impl Source {
    /// As it is written in files and shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Source::Llm => "llm",
            Source::Retrieved => "retrieved",
            Source::Popular => "popular",
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Source::Llm),
            2 => Some(Source::Retrieved),
            3 => Some(Source::Popular),
            _ => None,
        }
    }
}

/// A score of 0 to 1 in steps of 1/65535. Scores of different sources do not compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(pub u16);

impl Score {
    /// The highest score.
    pub const ONE: Score = Score(u16::MAX);

    /// A probability, to the nearest step; what is no number is 0.
    pub fn of(probability: f64) -> Self {
        Score((probability.clamp(0.0, 1.0) * f64::from(u16::MAX)).round() as u16)
    }

    /// `part` of `whole`, to the nearest step; 0 of 0 is 0, and no share exceeds 1.
    pub fn share(part: u64, whole: u64) -> Self {
        let steps = u128::from(part) * u128::from(u16::MAX) + u128::from(whole / 2);
        let score = steps.checked_div(u128::from(whole)).unwrap_or(0);
        Score(score.min(u128::from(u16::MAX)) as u16)
    }
}

impl From<Score> for f32 {
    fn from(score: Score) -> f32 {
        f32::from(score.0) / f32::from(u16::MAX)
    }
}

/// One prediction of a row, by cluster id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The predicted cluster.
    pub cluster: ClusterId,
    /// How much its source believes in it.
    pub score: Score,
    /// Where it comes from.
    pub source: Source,
}

/// One prediction of a row as the file holds it: the cluster by its dense index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The cluster's position among the taxonomy's ids.
    pub index: u32,
    /// How much its source believes in it.
    pub score: Score,
    /// Where it comes from.
    pub source: Source,
}

/// Where the fields of a slot lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) key_bytes: usize,
    pub(super) width: usize,
    pub(super) stride: usize,
}

impl Layout {
    pub(super) fn new(key_bytes: usize, width: usize) -> Self {
        Self { key_bytes, width, stride: format::stride(key_bytes, width) }
    }

    #[inline]
    pub(super) fn key(&self, slot: &[u8]) -> u128 {
        let low = u64::from_le_bytes(array(slot, 0));
        let high = if self.key_bytes == 16 { u64::from_le_bytes(array(slot, 8)) } else { 0 };
        u128::from(high) << 64 | u128::from(low)
    }

    #[inline]
    pub(super) fn is_empty(&self, slot: &[u8]) -> bool {
        slot[self.sources()] == 0
    }

    /// The candidate at `at`; `None` behind the last one.
    #[inline]
    pub(super) fn entry(&self, slot: &[u8], at: usize) -> Option<Entry> {
        if at >= self.width {
            return None;
        }
        let source = Source::from_byte(slot[self.sources() + at])?;
        let index = u32::from_le_bytes(array(slot, self.key_bytes + 4 * at));
        let score = Score(u16::from_le_bytes(array(slot, self.scores() + 2 * at)));
        Some(Entry { index, score, source })
    }

    /// Writes a row into a zeroed slot. `entries` holds at most `width`.
    pub(super) fn write(&self, slot: &mut [u8], key: u128, entries: &[Entry]) {
        slot[..self.key_bytes].copy_from_slice(&key.to_le_bytes()[..self.key_bytes]);
        for (at, entry) in entries.iter().enumerate() {
            let (index, score) = (self.key_bytes + 4 * at, self.scores() + 2 * at);
            slot[index..index + 4].copy_from_slice(&entry.index.to_le_bytes());
            slot[score..score + 2].copy_from_slice(&entry.score.0.to_le_bytes());
            slot[self.sources() + at] = entry.source as u8;
        }
    }

    pub(super) fn scores(&self) -> usize {
        self.key_bytes + 4 * self.width
    }

    pub(super) fn sources(&self) -> usize {
        self.key_bytes + 6 * self.width
    }
}

#[inline]
fn array<const N: usize>(slot: &[u8], at: usize) -> [u8; N] {
    slot[at..at + N].try_into().expect("N bytes were sliced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_to_the_nearest_step() {
        assert_eq!(Score::share(0, 0), Score(0));
        assert_eq!(Score::share(3, 3), Score::ONE);
        assert_eq!(Score::share(9, 3), Score::ONE);
        assert_eq!(Score::share(1, 2), Score(32768));
        assert_eq!(Score::share(u64::MAX / 2, u64::MAX), Score(32767));
        assert_eq!(f32::from(Score::ONE), 1.0);
    }
}
