//! Ratios of times on a machine that others share: short windows, alternately of one side and the other, so that what
//! slows the machine slows both.

use std::time::{Duration, Instant};

use crate::stats::Estimate;

/// How a ratio is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairing {
    pub(crate) pairs: usize,
    /// What the first side's window takes; the other side's has as many steps.
    pub(crate) window: Duration,
}

/// The time of one side : that of the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ratio {
    pub(crate) ratio: Estimate,
    /// Nanoseconds a step of the first side: of this run only.
    pub(crate) nanos: f64,
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
        (Ratio { ratio: Estimate::of(ratios), nanos: Estimate::of(times).median }, same)
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
