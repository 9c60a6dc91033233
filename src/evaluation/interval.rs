//! Figures with their intervals.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The interval is part of a report that must come out the same again.
const SEED: u64 = 0x5e60e;

/// A figure and the ends of its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// The sum of the first numbers over the sum of the second, one pair a user, with a bootstrap interval over users:
    /// what one user does is not independent. `None` where the second sum up to nothing. Without resamples the interval
    /// has no width.
    pub fn ratio(users: &[(f64, f64)], resamples: usize) -> Option<Self> {
        let value = share(users.iter())?;
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut redrawn = || share((0..users.len()).map(|_| &users[rng.random_range(0..users.len())])).unwrap_or(value);
        let mut drawn: Vec<f64> = (0..resamples).map(|_| redrawn()).collect();
        drawn.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (resamples.saturating_sub(1) as f64 * share).round() as usize;
            drawn.get(place).copied().unwrap_or(value)
        };
        Some(Self { value, low: at(0.025), high: at(0.975) })
    }

    /// The same in another unit.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }

    /// `part` of `whole` independent trials, in Wilson's interval; `None` of none.
    pub fn share(part: u64, whole: u64) -> Option<Self> {
        /// The normal distribution's 97.5 % point.
        const Z: f64 = 1.959_963_984_540_054;
        if whole == 0 {
            return None;
        }
        let (n, value) = (whole as f64, part as f64 / whole as f64);
        let middle = (value + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt();
        Some(Self { value, low: (middle - half).clamp(0.0, value), high: (middle + half).clamp(value, 1.0) })
    }
}

fn share<'u>(users: impl Iterator<Item = &'u (f64, f64)>) -> Option<f64> {
    let (part, whole) = users.fold((0.0, 0.0), |(part, whole), user| (part + user.0, whole + user.1));
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_published_one() {
        // Newcombe (1998), method 3: 81 of 263, and 0 of 20.
        let estimate = Estimate::share(81, 263).unwrap();
        assert!((estimate.low - 0.2553).abs() < 5e-5 && (estimate.high - 0.3662).abs() < 5e-5, "{estimate:?}");
        let none = Estimate::share(0, 20).unwrap();
        assert!(none.low == 0.0 && (none.high - 0.1611).abs() < 5e-5, "{none:?}");
        assert_eq!(Estimate::share(0, 0), None);
    }

    #[test]
    fn a_bootstrap_of_independent_users_agrees_with_the_normal_interval() {
        let users: Vec<(f64, f64)> = (0..400).map(|user| (if user % 5 == 0 { 2.0 } else { 0.0 }, 2.0)).collect();
        let estimate = Estimate::ratio(&users, 1000).unwrap();
        // 0.2 +- 1.96 * sqrt(0.2 * 0.8 / 400) = 0.161 to 0.239.
        let near = (estimate.low - 0.161).abs() < 0.01 && (estimate.high - 0.239).abs() < 0.01;
        assert!(estimate.value == 0.2 && near, "{estimate:?}");
        assert_eq!(Estimate::ratio(&users, 1000), Some(estimate));
        assert_eq!(Estimate::ratio(&users, 0), Some(Estimate { value: 0.2, low: 0.2, high: 0.2 }));
        assert_eq!(Estimate::ratio(&[(0.0, 0.0)], 10), None);
    }
}
