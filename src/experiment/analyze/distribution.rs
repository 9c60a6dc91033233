//! The tails of the two distributions that readings need.

use std::f64::consts::SQRT_2;

/// 1 minus the confidence of every interval here.
pub(super) const ALPHA: f64 = 0.05;

/// How many standard errors a 95 % interval reaches to either side: what [`two_sided`] gives [`ALPHA`] for.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// The probability that a standard normal variable is further from 0 than `z`.
pub(super) fn two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2)
}

/// The probability that a chi-square variable of `freedom` degrees (1 or more) exceeds `x`.
pub(super) fn chi_square_exceeds(x: f64, freedom: usize) -> f64 {
    let half = x / 2.0;
    if half <= 0.0 {
        return 1.0;
    }
    // Q(a + 1, h) = Q(a, h) + h^a e^-h / Gamma(a + 1), from Q(1/2, h) or Q(1, h) on: every term is positive.
    let odd = freedom % 2 == 1;
    let (mut a, mut tail) = if odd { (0.5, libm::erfc(half.sqrt())) } else { (1.0, (-half).exp()) };
    while a < freedom as f64 / 2.0 - 0.25 {
        tail += (a * half.ln() - half - libm::lgamma(a + 1.0)).exp();
        a += 1.0;
    }
    tail.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_tables() {
        let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
        near(two_sided(Z), ALPHA);
        near(two_sided(-1.0), 0.317_310_507_862_914_1);
        // Two degrees are exponential.
        near(chi_square_exceeds(3.0, 2), (-1.5_f64).exp());
        near(chi_square_exceeds(Z * Z, 1), ALPHA);
        assert_eq!((chi_square_exceeds(0.0, 3), chi_square_exceeds(-1e-30, 1)), (1.0, 1.0));
        assert_eq!(chi_square_exceeds(1e6, 4), 0.0);
    }
}
