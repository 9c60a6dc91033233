//! The relative difference of two arms and its interval, by the delta method.
//!
//! An arm's metric is R = (sum of values) / (sum of denominators). To first order it moves with each unit i by
//! `(value_i - R per_i) / mean(per)` over the number of units; the relative difference `R_t / R_c - 1` moves with both
//! arms' metrics by their derivatives. The variance of the sum of those terms is that of the difference. Terms belong
//! to units, so rows of one unit may depend on each other as they like.

use super::distribution::{ALPHA, Z, two_sided};
use super::moments::{Moments, VALUES, quotient};

/// A relative difference to control and how sure it is. Fractions: 0.01 is 1 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// `treatment / control - 1`.
    pub relative: f64,
    /// The standard error of that; `None` where an arm has a single unit, which shows no spread, or where
    /// values are so large that their squares are no numbers.
    pub standard_error: Option<f64>,
}

/// Why there is no relative difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// One of the arms has no units.
    #[error("an arm has no units yet")]
    NoUnits,
    /// The metric has nothing to divide by in one of the arms.
    #[error("the denominator is 0 in an arm: no rows that the metric counts")]
    NoDenominator,
    /// Nothing is a percentage of it.
    #[error("control is 0: there is nothing to relate a difference to")]
    ControlIsZero,
    /// The interval of a relative difference would have no ends.
    #[error("control cannot be told from 0: a relative difference would mean nothing")]
    ControlNearZero,
}

impl Effect {
    /// The ends of the 95 % interval: right for one look, at a time that was chosen beforehand.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.standard_error.map(|error| self.around(Z * error))
    }

    /// The probability of a difference at least as large where there is none, at one look.
    pub fn p_value(&self) -> Option<f64> {
        let error = self.standard_error?;
        let certain = f64::from(u8::from(self.relative == 0.0));
        Some(if error > 0.0 { two_sided(self.relative / error) } else { certain })
    }

    /// The ends of the 95 % interval that holds at all looks at once (a mixture sequential probability ratio test): for
    /// those who peek. It is shortest for true differences of about `expected`, which is to be chosen beforehand, and
    /// holds for any.
    pub fn always_valid(&self, expected: f64) -> Option<(f64, f64)> {
        let (variance, mixed) = (self.standard_error?.powi(2), expected.powi(2));
        if variance == 0.0 {
            return Some(self.around(0.0));
        }
        let sum = variance + mixed;
        let squared = variance * (sum / mixed) * (sum / (ALPHA * ALPHA * variance)).ln();
        squared.is_finite().then(|| self.around(squared.sqrt()))
    }

    fn around(&self, half: f64) -> (f64, f64) {
        (self.relative - half, self.relative + half)
    }
}

/// Compares the arms as they are.
pub fn compare(control: &Moments, treatment: &Moments) -> Result<Effect, Unreadable> {
    let (of, to) = (Arm::new(treatment)?, Arm::new(control)?);
    let base = to.usable_as_base(to.ratio, &to.moves)?;
    let relative = of.ratio / base - 1.0;
    let by = [scaled(&of.moves, 1.0 / base), scaled(&to.moves, -of.ratio / (base * base))];
    Ok(Effect { relative, standard_error: error(&[(treatment, by[0]), (control, by[1])]) })
}

/// Compares the arms after taking away what the time before the experiment explains (CUPED): the metric's own value in
/// that time is the covariate, with one slope for both arms, the one that leaves the least variance. `None` where the
/// time before explains nothing: there is none, or units did not differ in it.
pub fn compare_adjusted(control: &Moments, treatment: &Moments) -> Option<Result<Effect, Unreadable>> {
    let (of, to) = match (Arm::new(treatment), Arm::new(control)) {
        (Ok(of), Ok(to)) => (of, to),
        (Err(problem), _) | (_, Err(problem)) => return Some(Err(problem)),
    };
    let (of_before, to_before) = (Before::new(treatment)?, Before::new(control)?);
    let shared = treatment.covariance(&of.moves, &of_before.moves) + control.covariance(&to.moves, &to_before.moves);
    let spread = treatment.variance(&of_before.moves) + control.variance(&to_before.moves);
    let slope = quotient(shared, spread)?;
    let pooled = Pooled::new(treatment, control)?;
    let values =
        [of.ratio - slope * (of_before.ratio - pooled.ratio), to.ratio - slope * (to_before.ratio - pooled.ratio)];
    let own = |arm: &Arm, before: &Before, moments| {
        plus(&plus(&arm.moves, &before.moves, -slope), &pooled.moves(moments), slope)
    };
    let adjusted = [own(&of, &of_before, treatment), own(&to, &to_before, control)];
    Some(to.usable_as_base(values[1], &adjusted[1]).map(|base| {
        // Each arm's units also move the other arm's value, through the pooled ratio.
        let of_base = -values[0] / (base * base);
        let by = [
            plus(&scaled(&adjusted[0], 1.0 / base), &pooled.moves(treatment), slope * of_base),
            plus(&scaled(&adjusted[1], of_base), &pooled.moves(control), slope / base),
        ];
        let standard_error = error(&[(treatment, by[0]), (control, by[1])]);
        Effect { relative: values[0] / base - 1.0, standard_error }
    }))
}

/// An arm's metric, and how it moves with a unit's values.
struct Arm<'m> {
    moments: &'m Moments,
    ratio: f64,
    moves: [f64; VALUES],
}

impl<'m> Arm<'m> {
    fn new(moments: &'m Moments) -> Result<Self, Unreadable> {
        if moments.units() == 0 {
            return Err(Unreadable::NoUnits);
        }
        let ratio = moments.ratio().ok_or(Unreadable::NoDenominator)?;
        let per = moments.means()[1];
        Ok(Self { moments, ratio, moves: [1.0 / per, -ratio / per, 0.0, 0.0] })
    }

    /// Where the interval of the control's value reaches 0, that of a relative difference has no ends (Fieller).
    fn usable_as_base(&self, value: f64, moves: &[f64; VALUES]) -> Result<f64, Unreadable> {
        if value == 0.0 {
            return Err(Unreadable::ControlIsZero);
        }
        let spread = if self.moments.units() > 1 { self.moments.variance(moves).sqrt() } else { 0.0 };
        if value.abs() > Z * spread { Ok(value) } else { Err(Unreadable::ControlNearZero) }
    }
}

/// The same, of the time before.
struct Before {
    ratio: f64,
    moves: [f64; VALUES],
}

impl Before {
    fn new(moments: &Moments) -> Option<Self> {
        let [_, _, value, per] = moments.means();
        let ratio = (moments.units() > 1).then(|| quotient(value, per))??;
        Some(Self { ratio, moves: [0.0, 0.0, 1.0 / per, -ratio / per] })
    }
}

/// The metric before, of both arms together.
struct Pooled {
    ratio: f64,
    per: f64,
}

impl Pooled {
    fn new(one: &Moments, other: &Moments) -> Option<Self> {
        let sum = |at: usize| [one, other].iter().map(|arm| arm.means()[at] * arm.units() as f64).sum::<f64>();
        Some(Self { ratio: quotient(sum(2), sum(3))?, per: sum(3) })
    }

    /// How it moves with the values of a unit of one arm.
    fn moves(&self, arm: &Moments) -> [f64; VALUES] {
        let weight = arm.units() as f64 / self.per;
        [0.0, 0.0, weight, -self.ratio * weight]
    }
}

fn error(parts: &[(&Moments, [f64; VALUES]); 2]) -> Option<f64> {
    let spread = parts.iter().all(|(arm, _)| arm.units() > 1);
    let error = spread.then(|| parts.iter().map(|(arm, moves)| arm.variance(moves)).sum::<f64>().sqrt());
    error.filter(|error| error.is_finite())
}

fn scaled(moves: &[f64; VALUES], by: f64) -> [f64; VALUES] {
    moves.map(|weight| weight * by)
}

fn plus(moves: &[f64; VALUES], others: &[f64; VALUES], by: f64) -> [f64; VALUES] {
    std::array::from_fn(|at| moves[at] + others[at] * by)
}
