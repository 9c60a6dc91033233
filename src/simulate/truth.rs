//! The known truth: what a new interest is drawn from, given a user's latest two and the day.
//!
//! It is a pure function of the config, so any day can be asked for at any time and nothing is stored, however many
//! pairs there are.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::config::{Config, Drift};
use crate::ids::ClusterId;

/// What the preferred successors of a pair share among them, best first. With fewer than seven clusters the last ones
/// fall away and the others keep their proportions.
const SHARES: [f64; 5] = [0.40, 0.25, 0.15, 0.12, 0.08];

/// Two interests, as indices, the older one first.
pub(super) type Pair = (u32, u32);

/// A possible next interest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Successor {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its probability.
    pub probability: f64,
}

/// The truth of one day, for a user of whom only the latest two interests are known.
///
/// For a user who has met more, the distribution is this one, restricted to the clusters she has not met and scaled
/// back to 1; should nothing remain of it, popularity restricted in the same way.
#[derive(Clone, Copy, Debug)]
pub struct Truth<'s> {
    pub(super) structure: &'s Structure,
    pub(super) day: u32,
}

impl Truth<'_> {
    /// The preferred successors of `(older, newer)`, the most probable first. Empty for what is no pair: an unknown
    /// cluster, or one cluster twice.
    pub fn preferred(&self, older: ClusterId, newer: ClusterId) -> Vec<Successor> {
        self.structure.pair(older, newer).map_or_else(Vec::new, |pair| self.of(pair))
    }

    /// The preferred successors of a pair of indices.
    pub(super) fn of(&self, pair: Pair) -> Vec<Successor> {
        let drawn = self.structure.preferred(pair, self.day);
        let probability = |index: u32| self.structure.mixed(pair, &drawn, index);
        let successor = |index: &u32| Successor { cluster: id(*index), probability: probability(*index) };
        let mut successors: Vec<_> = drawn.as_slice().iter().map(successor).collect();
        successors.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.cluster.cmp(&b.cluster)));
        successors
    }

    /// The probability that `next` follows `(older, newer)`; over all clusters it sums to 1. 0 for what is no pair.
    pub fn probability(&self, older: ClusterId, newer: ClusterId, next: ClusterId) -> f64 {
        match (self.structure.pair(older, newer), self.structure.index(next)) {
            (Some(pair), Some(next)) => self.structure.mixed(pair, &self.structure.preferred(pair, self.day), next),
            _ => 0.0,
        }
    }

    /// The share of `cluster` in popularity, which no day changes; 0 for an unknown one.
    pub fn popularity(&self, cluster: ClusterId) -> f64 {
        self.structure.index(cluster).map_or(0.0, |index| self.structure.popularity.share(index))
    }
}

/// The id of the cluster at `index`.
pub(super) fn id(index: u32) -> ClusterId {
    ClusterId(index + 1)
}

/// Popularity, and every pair's preferred successors on every day.
#[derive(Clone, Debug)]
pub(super) struct Structure {
    seed: u64,
    clusters: u32,
    days: u32,
    pair_strength: f64,
    drift: Drift,
    pub(super) popularity: Popularity,
}

impl Structure {
    pub(super) fn new(config: &Config) -> Self {
        let Config { seed, clusters, days, pair_strength, drift, .. } = *config;
        Self { seed, clusters, days, pair_strength, drift, popularity: Popularity::new(config) }
    }

    pub(super) fn clusters(&self) -> u32 {
        self.clusters
    }

    /// Draws the next interest of a user who has met `met`, of which the last two are her pair. At least one cluster
    /// must be unmet.
    pub(super) fn next(&self, met: &[u32], pair: Pair, day: u32, rng: &mut ChaCha8Rng) -> u32 {
        let preferred = self.preferred(pair, day);
        let draw = |rng: &mut ChaCha8Rng| match rng.random::<f64>() < self.pair_strength {
            true => preferred.at(rng.random()),
            false => self.popularity.at(rng.random()),
        };
        let drawn = self.draw_unmet(met, rng, draw, |index| self.weight(&preferred, index));
        drawn.unwrap_or_else(|| self.popular(met, rng))
    }

    /// Draws an unmet cluster by popularity. At least one must be unmet.
    pub(super) fn popular(&self, met: &[u32], rng: &mut ChaCha8Rng) -> u32 {
        let draw = |rng: &mut ChaCha8Rng| self.popularity.at(rng.random());
        let drawn = self.draw_unmet(met, rng, draw, |index| self.popularity.share(index));
        drawn.expect("every cluster has some popularity, and one is unmet")
    }

    /// Draws by `draw`, which picks each cluster in proportion to its `weight`, but none of `met`; nothing if all the
    /// others weigh nothing.
    fn draw_unmet(
        &self,
        met: &[u32],
        rng: &mut ChaCha8Rng,
        draw: impl Fn(&mut ChaCha8Rng) -> u32,
        weight: impl Fn(u32) -> f64,
    ) -> Option<u32> {
        /// Redrawing beats weighing every cluster while few are met. Both give the same distribution.
        const REDRAWS: usize = 20;
        let redrawn = (0..REDRAWS).map(|_| draw(rng)).find(|drawn| !met.contains(drawn));
        if redrawn.is_some() {
            return redrawn;
        }
        let unmet = || (0..self.clusters).filter(|index| !met.contains(index)).map(|index| (index, weight(index)));
        let point = rng.random::<f64>() * unmet().map(|(_, weight)| weight).sum::<f64>();
        at(unmet(), point)
    }

    /// Probability of `next` after `pair`, which has met just its own two.
    fn mixed(&self, pair: Pair, preferred: &Preferred, next: u32) -> f64 {
        if next == pair.0 || next == pair.1 {
            return 0.0;
        }
        let lost = self.weight(preferred, pair.0) + self.weight(preferred, pair.1);
        self.weight(preferred, next) / (1.0 - lost)
    }

    fn weight(&self, preferred: &Preferred, index: u32) -> f64 {
        self.pair_strength * preferred.share(index) + (1.0 - self.pair_strength) * self.popularity.share(index)
    }

    /// The preferred successors, drawn evenly from all clusters but the pair's own.
    fn preferred(&self, pair: Pair, day: u32) -> Preferred {
        let epoch = self.epoch(pair, day);
        let mut preferred = Preferred { indices: [0; SHARES.len()], len: 0 };
        let wanted = SHARES.len().min(self.clusters as usize - 2);
        for attempt in 0.. {
            if preferred.len == wanted {
                break;
            }
            let drawn = scale(self.hash([0, pair.0, pair.1, epoch, attempt]), self.clusters);
            if drawn != pair.0 && drawn != pair.1 && !preferred.as_slice().contains(&drawn) {
                preferred.indices[preferred.len] = drawn;
                preferred.len += 1;
            }
        }
        preferred
    }

    /// Names the structure that holds for `pair` on `day`: equal epochs, equal preferred successors.
    fn epoch(&self, pair: Pair, day: u32) -> u32 {
        match self.drift {
            Drift::None {} => 0,
            Drift::Slow { rate } => {
                let redrawn = |day: &u32| unit(self.hash([1, pair.0, pair.1, *day, 0])) < rate;
                (1..=day).rev().find(redrawn).unwrap_or(0)
            }
            Drift::Sudden { at } => u32::from(f64::from(day) >= at * f64::from(self.days)),
            Drift::Seasonal { period } => day / period % 2,
        }
    }

    fn hash(&self, of: [u32; 5]) -> u64 {
        let mut bytes = [0; 20];
        for (at, value) in bytes.chunks_exact_mut(4).zip(of) {
            at.copy_from_slice(&value.to_le_bytes());
        }
        xxh3_64_with_seed(&bytes, self.seed)
    }

    fn pair(&self, older: ClusterId, newer: ClusterId) -> Option<Pair> {
        Some((self.index(older)?, self.index(newer)?)).filter(|pair| pair.0 != pair.1)
    }

    fn index(&self, id: ClusterId) -> Option<u32> {
        id.0.checked_sub(1).filter(|&index| index < self.clusters)
    }
}

/// The preferred successors of one pair, best first.
struct Preferred {
    indices: [u32; SHARES.len()],
    len: usize,
}

impl Preferred {
    fn as_slice(&self) -> &[u32] {
        &self.indices[..self.len]
    }

    fn total(&self) -> f64 {
        SHARES[..self.len].iter().sum()
    }

    fn share(&self, index: u32) -> f64 {
        let rank = self.as_slice().iter().position(|&preferred| preferred == index);
        rank.map_or(0.0, |rank| SHARES[rank] / self.total())
    }

    fn weights(&self) -> impl Iterator<Item = (u32, f64)> {
        self.as_slice().iter().copied().zip(SHARES)
    }

    /// The successor at `point` (0 to 1) of the shares.
    fn at(&self, point: f64) -> u32 {
        at(self.weights(), point * self.total()).expect("there are at least four clusters, so two successors")
    }
}

/// How popular each cluster is: Zipf over ranks that the seed deals out.
#[derive(Clone, Debug)]
pub(super) struct Popularity {
    shares: Vec<f64>,
    /// Sums of the shares up to and with each cluster.
    cumulative: Vec<f64>,
}

impl Popularity {
    fn new(config: &Config) -> Self {
        let weight = |rank: u32| f64::from(rank).powf(-config.popularity_skew);
        let mut shares: Vec<f64> = (1..=config.clusters).map(weight).collect();
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        shares.shuffle(&mut ChaCha8Rng::seed_from_u64(config.seed));
        let sum = |sum: &mut f64, share: &f64| {
            *sum += share;
            Some(*sum)
        };
        let cumulative = shares.iter().scan(0.0, sum).collect();
        Self { shares, cumulative }
    }

    fn share(&self, index: u32) -> f64 {
        self.shares[index as usize]
    }

    /// The cluster at `point` (0 to 1) of the shares laid end to end.
    fn at(&self, point: f64) -> u32 {
        let found = self.cumulative.partition_point(|&sum| sum <= point);
        // Rounding may leave the last sum just below 1.
        found.min(self.shares.len() - 1) as u32
    }
}

/// The cluster at `point` (0 to their sum) of weights laid end to end; none if they weigh nothing.
fn at(weights: impl Iterator<Item = (u32, f64)>, point: f64) -> Option<u32> {
    let (mut sum, mut last) = (0.0, None);
    for (index, weight) in weights.filter(|&(_, weight)| weight > 0.0) {
        last = Some(index);
        sum += weight;
        if point < sum {
            break;
        }
    }
    last
}

/// Maps a hash evenly to `0..below`.
fn scale(hash: u64, below: u32) -> u32 {
    ((u128::from(hash) * u128::from(below)) >> 64) as u32
}

/// Maps a hash evenly to 0..1.
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
