//! Which keys a table holds, their rows, and how questions are drawn: all of it a few multiplications, so that a window
//! measures the answering, and every peer can be filled with exactly the table's keys.

use segue::ids::ClusterId;
use segue::table::{Candidate, Score, Source};

pub(crate) const WIDTH: usize = 8;
/// The bytes of a row's candidates as the peers hold them: 8 ids, 8 scores, 8 sources.
pub(crate) const VALUE: usize = WIDTH * 7;
const MAX_K: usize = 3;

/// Clusters 0 to `clusters` - 1 in a circle; a key goes on from each of its clusters to one of the `spans` clusters that
/// follow. Whatever is a suffix of a key is a key too, so that a question backs off by one level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySet {
    pub(crate) name: &'static str,
    clusters: u32,
    spans: &'static [u32],
}

impl KeySet {
    /// The spans must leave clusters over, which no key goes on to.
    pub(crate) const fn new(name: &'static str, clusters: u32, spans: &'static [u32]) -> Self {
        Self { name, clusters, spans }
    }

    pub(crate) fn clusters(&self) -> u32 {
        self.clusters
    }

    pub(crate) fn k(&self) -> usize {
        self.spans.len() + 1
    }

    /// Names the content, as a folder.
    pub(crate) fn slug(&self) -> String {
        let spans: Vec<_> = self.spans.iter().map(|span| format!("-{span}")).collect();
        format!("{}{}", self.clusters, spans.concat())
    }

    /// Keys of `len` clusters.
    pub(crate) fn keys(&self, len: usize) -> u64 {
        self.spans_of(len).iter().fold(self.clusters.into(), |keys, &span| keys * u64::from(span))
    }

    /// Keys of every length.
    pub(crate) fn total(&self) -> u64 {
        (1..=self.k()).map(|len| self.keys(len)).sum()
    }

    /// Every key of `len` clusters, in order of [`Key::packed`].
    pub(crate) fn for_each(&self, len: usize, mut take: impl FnMut(Key)) {
        for first in 0..self.clusters {
            self.extend(Key::default().then(first), self.spans_of(len), &mut take);
        }
    }

    fn extend(&self, key: Key, spans: &[u32], take: &mut impl FnMut(Key)) {
        let Some((&span, rest)) = spans.split_first() else { return take(key) };
        let last = key.clusters()[key.len - 1];
        let wrapped = (last + 1 + span).saturating_sub(self.clusters);
        for next in (0..wrapped).chain(last + 1..=last + span - wrapped) {
            self.extend(key.then(next), rest, take);
        }
    }

    /// The longest keys' question that a ticket stands for: one that the table holds, or one of which it holds all but
    /// the oldest cluster.
    #[inline]
    pub(crate) fn question(&self, mut ticket: u64, stored: bool) -> Key {
        let mut digit = |base: u32| {
            let wide = u128::from(ticket) * u128::from(base);
            ticket = wide as u64;
            (wide >> 64) as u32
        };
        let mut last = digit(self.clusters);
        let mut key = Key::default().then(last);
        for (at, &span) in self.spans.iter().enumerate() {
            let step = if at > 0 || stored { 1 + digit(span) } else { 1 + span + digit(self.left_over()) };
            last = if last + step < self.clusters { last + step } else { last + step - self.clusters };
            key = key.then(last);
        }
        key
    }

    /// First steps that no key takes, and that lead back to none of its clusters.
    fn left_over(&self) -> u32 {
        self.clusters - 1 - self.spans.iter().sum::<u32>()
    }

    fn spans_of(&self, len: usize) -> &'static [u32] {
        &self.spans[self.k() - len..]
    }

    /// The row of a key: distinct clusters, none of them its own.
    pub(crate) fn fill(&self, row: &mut Vec<Candidate>, key: &Key) {
        row.clear();
        let mut at = mix(key.packed());
        while row.len() < WIDTH {
            at = mix(at.wrapping_add(1));
            let cluster = ClusterId((at % u64::from(self.clusters)) as u32);
            if !key.clusters().contains(&cluster.0) && row.iter().all(|seen| seen.cluster != cluster) {
                row.push(Candidate { cluster, score: Score(at as u16), source: Source::Retrieved });
            }
        }
    }

    /// [`KeySet::fill`] as a peer's value.
    pub(crate) fn value(&self, row: &mut Vec<Candidate>, key: &Key) -> [u8; VALUE] {
        self.fill(row, key);
        let mut value = [0; VALUE];
        for (at, candidate) in row.iter().enumerate() {
            value[4 * at..][..4].copy_from_slice(&candidate.cluster.0.to_le_bytes());
            value[4 * WIDTH + 2 * at..][..2].copy_from_slice(&candidate.score.0.to_le_bytes());
            value[6 * WIDTH + at] = candidate.source as u8;
        }
        value
    }
}

/// 1 to 3 clusters, oldest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Key {
    clusters: [u32; MAX_K],
    len: usize,
}

impl Key {
    #[inline]
    fn then(mut self, cluster: u32) -> Self {
        self.clusters[self.len] = cluster;
        self.len += 1;
        self
    }

    #[inline]
    pub(crate) fn clusters(&self) -> &[u32] {
        &self.clusters[..self.len]
    }

    /// Without its oldest cluster.
    #[inline]
    pub(crate) fn suffix(&self) -> Self {
        Self { clusters: [self.clusters[1], self.clusters[2], 0], len: self.len - 1 }
    }

    /// One number for keys of all lengths, as the peers know them.
    #[inline]
    pub(crate) fn packed(&self) -> u64 {
        self.clusters().iter().fold(self.len as u64, |key, &cluster| key << 20 | u64::from(cluster))
    }
}

/// How often each key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    Uniform,
    /// Exponent 1: every doubling of rank has the same share of the questions, here of 2^`octaves` ranks.
    Zipf {
        octaves: u32,
    },
}

impl Draw {
    pub(crate) fn zipf(keys: u64) -> Self {
        Self::Zipf { octaves: keys.next_power_of_two().ilog2() }
    }

    pub(crate) fn name(self) -> &'static str {
        if self == Draw::Uniform { "uniform" } else { "Zipf" }
    }

    /// A number in 0..2^64 that [`KeySet::question`] understands.
    #[inline]
    pub(crate) fn ticket(self, state: u64) -> u64 {
        let Self::Zipf { octaves } = self else { return state };
        let octave = ((state >> 32) * u64::from(octaves)) >> 32;
        let rank = 1 << octave | state & ((1 << octave) - 1);
        // Where the popular keys lie must not depend on their ids.
        mix(rank.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[inline]
pub(crate) fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ seed >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 29
}

/// What an answer says, in one number that the next question is made from.
#[inline]
pub(crate) fn said(clusters: impl Iterator<Item = u32>) -> u64 {
    clusters.fold(0, |said: u64, cluster| said.rotate_left(7) ^ u64::from(cluster))
}
