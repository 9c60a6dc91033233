//! Counts, means and covariances of what the units of an arm did: all that intervals need, in a few numbers that can be
//! merged.

/// How many values one unit has.
pub(super) const VALUES: usize = 4;

/// What one unit did. A metric is the sum of `value` over that of `per`; where it is a mean over units, `per` is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Observation {
    /// The numerator.
    pub value: f64,
    /// The denominator.
    pub per: f64,
    /// The numerator in the time before the experiment.
    pub before: f64,
    /// The denominator in the time before the experiment.
    pub before_per: f64,
}

/// The moments of any number of units. Those of two sets, merged, are those of all their units; sums are kept about the
/// means, so that large values do not drown small differences.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    units: u64,
    means: [f64; VALUES],
    /// Sums of products of deviations from the means.
    products: [[f64; VALUES]; VALUES],
}

impl Moments {
    /// Takes in one more unit.
    pub fn add(&mut self, unit: Observation) {
        let values = [unit.value, unit.per, unit.before, unit.before_per];
        self.merge(&Self { units: 1, means: values, products: Default::default() });
    }

    /// Takes in all units of `other`.
    pub fn merge(&mut self, other: &Self) {
        let (mine, theirs) = (self.units as f64, other.units as f64);
        let all = mine + theirs;
        if other.units == 0 {
            return;
        }
        let apart: [f64; VALUES] = std::array::from_fn(|at| other.means[at] - self.means[at]);
        for (row, products) in self.products.iter_mut().enumerate() {
            for (column, product) in products.iter_mut().enumerate() {
                *product += other.products[row][column] + apart[row] * apart[column] * (mine * theirs / all);
            }
        }
        for (mean, apart) in self.means.iter_mut().zip(apart) {
            *mean += apart * (theirs / all);
        }
        self.units += other.units;
    }

    /// How many units these are of.
    pub fn units(&self) -> u64 {
        self.units
    }

    /// The sum of `value` over the sum of `per`; `None` where that is 0.
    pub fn ratio(&self) -> Option<f64> {
        quotient(self.means[0], self.means[1])
    }

    pub(super) fn means(&self) -> [f64; VALUES] {
        self.means
    }

    /// The covariance of the means of two weighted sums of a unit's values. Asks for two units or more.
    pub(super) fn covariance(&self, one: &[f64; VALUES], other: &[f64; VALUES]) -> f64 {
        let units = self.units as f64;
        let weighted = |values: &[f64; VALUES], weights: &[f64; VALUES]| -> f64 {
            values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
        };
        weighted(&self.products.map(|row| weighted(&row, other)), one) / (units - 1.0) / units
    }

    /// As [`Moments::covariance`], of a weighted sum with itself: never below 0, whatever was rounded.
    pub(super) fn variance(&self, weights: &[f64; VALUES]) -> f64 {
        self.covariance(weights, weights).max(0.0)
    }
}

/// `None` unless it is a number.
pub(super) fn quotient(of: f64, by: f64) -> Option<f64> {
    Some(of / by).filter(|quotient| quotient.is_finite())
}
