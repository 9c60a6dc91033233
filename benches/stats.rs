//! Medians, and how sure they are.

use std::fmt;

/// The median, and the interval that holds the true one in 95 of 100 cases, whatever the distribution. Fewer than six
/// values have no such interval: then it is from the lowest to the highest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let outside = outside(values.len());
        let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
        Self { median, low: values[outside], high: values[values.len() - 1 - outside] }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} [{:.2}, {:.2}]", self.median, self.low, self.high)
    }
}

/// How many of `n` sorted values lie outside the interval at each end: the true median lies below the k-th of them as
/// often as a coin, thrown n times, shows heads less than k times.
fn outside(n: usize) -> usize {
    let (mut heads, mut fewer) = (0.5f64.powi(n as i32), 0.0);
    for k in 0..n {
        fewer += heads;
        if fewer > 0.025 {
            return k.saturating_sub(1);
        }
        heads *= (n - k) as f64 / (k + 1) as f64;
    }
    0
}
