//! What several runs say together.

use std::fmt;

use crate::stats::Estimate;

/// Figures of the same thing, measured several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// The middle one; NaN of none.
    pub(crate) fn median(&self) -> f64 {
        if self.0.is_empty() { f64::NAN } else { self.estimate().median }
    }

    /// The same figures in another unit.
    pub(crate) fn per(&self, unit: f64) -> Self {
        self.0.iter().map(|figure| figure / unit).collect()
    }

    fn estimate(&self) -> Estimate {
        Estimate::of(self.0.iter().copied())
    }
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// The median and its interval; of fewer than six, the lowest and the highest.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Estimate { median, low, high } = self.estimate();
        write!(f, "{median:.digits$} [{low:.digits$}, {high:.digits$}]")
    }
}

/// The ratio of each pair: runs of one round stand next to each other in time, so that what else the machine did
/// concerns both.
pub(crate) fn ratios(one: &Sample, other: &Sample) -> Sample {
    one.0.iter().zip(&other.0).map(|(one, other)| one / other).collect()
}
