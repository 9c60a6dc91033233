//! Ratios of times on a machine that others share: short windows, alternately of one side and the other, so that what
//! slows the machine slows both.

use std::fmt;
use std::time::{Duration, Instant};

/// How a ratio is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairing {
    pub(crate) pairs: usize,
    /// What the first side's window takes; the other side's has as many steps.
    pub(crate) window: Duration,
}

/// The median of the pairs' ratios, with the order statistics that hold the true one in 95 of 100 cases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    low: f64,
    high: f64,
    /// Nanoseconds a step of the first side: of this run only.
    pub(crate) nanos: f64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} [{:.2}, {:.2}]", self.median, self.low, self.high)
    }
}

/// From a state, so many steps on, to the state they lead to.
pub(crate) trait Side: FnMut(u64, u64) -> u64 {}
impl<S: FnMut(u64, u64) -> u64> Side for S {}

impl Pairing {
    /// The time of `one` : that of `other`. Also tells whether both went the same way, that is, answered the same.
    pub(crate) fn ratio(self, mut one: impl Side, mut other: impl Side) -> (Ratio, bool) {
        let steps = self.calibrated(&mut one);
        let (mut ratios, mut times, mut same) = (Vec::new(), Vec::new(), true);
        let mut state = 1;
        for pair in 0..self.pairs {
            let ((one, to), (other, too)) = if pair % 2 == 0 {
                let first = window(&mut one, state, steps);
                (first, window(&mut other, state, steps))
            } else {
                let first = window(&mut other, state, steps);
                (window(&mut one, state, steps), first)
            };
            ratios.push(one / other);
            times.push(1e9 * one / steps as f64);
            same &= to == too;
            state = to;
        }
        (Ratio::of(ratios, times), same)
    }

    fn calibrated(self, side: &mut impl Side) -> u64 {
        let mut steps = 64;
        loop {
            let began = Instant::now();
            side(1, steps);
            if began.elapsed() >= self.window {
                return steps;
            }
            steps += steps / 2;
        }
    }
}

/// Seconds, and the state arrived at. A part goes before the clock starts: the other side's window has taken the caches.
fn window(side: &mut impl Side, state: u64, steps: u64) -> (f64, u64) {
    let warm = side(state, steps / 3);
    let began = Instant::now();
    let state = side(warm, steps);
    (began.elapsed().as_secs_f64(), state)
}

impl Ratio {
    fn of(mut ratios: Vec<f64>, mut times: Vec<f64>) -> Self {
        ratios.sort_unstable_by(f64::total_cmp);
        times.sort_unstable_by(f64::total_cmp);
        let from_each_end = outside(ratios.len());
        let (low, high) = (ratios[from_each_end], ratios[ratios.len() - 1 - from_each_end]);
        Self { median: middle(&ratios), low, high, nanos: middle(&times) }
    }
}

fn middle(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// How many of `n` sorted values to leave out at each end, so that the median lies between the rest with 95 %.
fn outside(n: usize) -> usize {
    let (mut term, mut below) = (0.5f64.powi(n as i32), 0.0);
    for k in 0..n / 2 {
        below += term;
        if 2.0 * below > 0.05 {
            return k.saturating_sub(1);
        }
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    0
}
