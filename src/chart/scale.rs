//! From values to heights, with round ticks.

/// Ticks aimed at.
const TICKS: f64 = 6.0;

/// An axis from a round value to a round value, zero on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    step: f64,
}

impl Scale {
    /// Holds all of `values`, which are finite.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = values.into_iter().fold((0.0_f64, 0.0_f64), |(low, high), at| (low.min(at), high.max(at)));
        // Half the largest double apart, the difference could not be told.
        let (low, high) = (low.max(f64::MIN / 4.0), high.min(f64::MAX / 4.0));
        if low == high {
            return Self { low: 0.0, high: 1.0, step: 0.2 };
        }
        let step = round(((high - low) / TICKS).max(f64::MIN_POSITIVE));
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    /// How far up a value lies, 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Each tick with its text.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let (first, last) = ((self.low / self.step).round() as i64, (self.high / self.step).round() as i64);
        let decimals = (-self.step.log10().floor()).clamp(0.0, 12.0) as usize;
        (first..=last).map(|at| at as f64 * self.step).map(|at| (at, format!("{at:.decimals$}"))).collect()
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64]) -> Vec<String> {
        Scale::of(values.iter().copied()).ticks().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_zero() {
        assert_eq!(ticks(&[3.0, 17.0]), ["0", "5", "10", "15", "20"]);
        assert_eq!(ticks(&[-0.08, 0.11]), ["-0.10", "-0.05", "0.00", "0.05", "0.10", "0.15"]);
        assert_eq!(ticks(&[-3.0, -1.0]), ["-3.0", "-2.5", "-2.0", "-1.5", "-1.0", "-0.5", "0.0"]);
        assert_eq!(ticks(&[]).len(), 6);
    }

    #[test]
    fn any_finite_values_have_few_ticks() {
        for values in [[0.0, 1e-300], [1e300, -1e300], [f64::MAX, f64::MIN], [f64::MIN_POSITIVE, 0.0]] {
            let ticks = ticks(&values);
            assert!((2..20).contains(&ticks.len()), "{values:?}: {ticks:?}");
        }
    }
}
