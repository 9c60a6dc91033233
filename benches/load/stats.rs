//! Medians and how sure they are.

/// The median of some ratios, and an interval that holds the true median with 95 %, whatever the distribution.
pub(super) struct Estimate {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Estimate {
    /// Of at least one value. Fewer than six give no such interval, only their lowest and highest.
    pub(super) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let sorted = sorted(values);
        let skipped = skipped(sorted.len());
        let [low, high] = [sorted[skipped], sorted[sorted.len() - 1 - skipped]];
        Self { median: middle(&sorted), low, high }
    }
}

pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    middle(&sorted(values))
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// How many values may be left out at each end: the true median lies beyond `n` of them as often as a coin shows at
/// most `n` heads, and both ends together may have 5 %.
fn skipped(len: usize) -> usize {
    let mut heads = 1.0;
    let mut below = 0.0;
    let tosses = 2f64.powi(len as i32);
    for skipped in 0..len {
        below += heads / tosses;
        if below > 0.025 {
            return skipped.saturating_sub(1);
        }
        heads *= (len - skipped) as f64 / (skipped + 1) as f64;
    }
    0
}
