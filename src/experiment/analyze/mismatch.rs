//! The sample-ratio check: do the arms hold the units that their weights give them?

use serde::Serialize;

use super::distribution::chi_square_exceeds;

/// Below this probability nothing may be read: by chance alone one experiment in a thousand ends there.
const LEAST: f64 = 0.001;

/// What came of the check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleRatio {
    /// Units by arm.
    pub units: Vec<u64>,
    /// Units by arm that the weights give, of as many units in all.
    pub expected: Vec<f64>,
    /// Pearson's statistic.
    pub chi_square: f64,
    /// The probability of a statistic at least as large where units are dealt as the weights say.
    pub p_value: f64,
}

impl SampleRatio {
    /// Whether units were lost or added on their way, so that the arms do not compare like with like.
    pub fn is_mismatch(&self) -> bool {
        self.p_value < LEAST
    }
}

/// Checks `units` by arm against the arms' `weights`, which are over 0. Without units, or with one arm, there is
/// nothing to object to: the probability is 1.
pub fn sample_ratio(units: &[u64], weights: &[f64]) -> SampleRatio {
    let (all, whole) = (units.iter().sum::<u64>() as f64, weights.iter().sum::<f64>());
    let expected: Vec<f64> = weights.iter().map(|weight| all * weight / whole).collect();
    let terms = units.iter().zip(&expected).map(|(&found, &expected)| (found as f64 - expected).powi(2) / expected);
    let chi_square = if all > 0.0 { terms.sum() } else { 0.0 };
    let p_value = if units.len() > 1 { chi_square_exceeds(chi_square, units.len() - 1) } else { 1.0 };
    SampleRatio { units: units.to_vec(), expected, chi_square, p_value }
}
