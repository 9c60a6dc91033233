//! What several runs say together.

use std::fmt;

/// Figures of the same thing, measured several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// The middle one.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => sorted[odd / 2],
            even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
        }
    }

    /// The same figures in another unit.
    pub(crate) fn per(&self, unit: f64) -> Self {
        self.0.iter().map(|figure| figure / unit).collect()
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// The median, and the lowest and the highest.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let lowest = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        write!(f, "{:.digits$} ({lowest:.digits$} .. {highest:.digits$})", self.median())
    }
}

/// The ratio of each pair: runs of one round stand next to each other in time, so that what else the machine did
/// concerns both.
pub(crate) fn ratios(one: &Sample, other: &Sample) -> Sample {
    one.0.iter().zip(&other.0).map(|(one, other)| one / other).collect()
}
