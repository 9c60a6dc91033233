//! From when requests were due to their answers.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::PATIENCE;
use crate::Outcome;
use crate::stats::Estimate;

/// Short enough that what else a machine does is in few of them, long enough for a 99th percentile.
const SLICE: Duration = Duration::from_millis(50);

/// Nanoseconds, apart for each slice of the time in which they were due.
pub(crate) struct Latency(Vec<Histogram<u64>>);

impl Latency {
    pub(super) fn new(span: Duration) -> Outcome<Self> {
        let slices = span.as_nanos().div_ceil(SLICE.as_nanos());
        let slices = (0..slices).map(|_| Histogram::new_with_max(2 * PATIENCE.as_nanos() as u64, 3));
        Ok(Self(slices.collect::<Result<_, _>>()?))
    }

    pub(super) fn record(&mut self, due: Duration, latency: Duration) {
        let slice = (due.as_nanos() / SLICE.as_nanos()) as usize;
        self.0[slice].saturating_record(latency.as_nanos() as u64);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(Histogram::len).sum()
    }

    /// The quantiles of all, in microseconds.
    pub(crate) fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> Outcome<[f64; N]> {
        let mut all = self.0.first().ok_or("there was no time to measure in")?.clone();
        self.0[1..].iter().try_for_each(|slice| all.add(slice))?;
        Ok(quantiles.map(|quantile| micros(&all, quantile)))
    }

    /// The quantile of the median slice, in microseconds: a machine that pauses for others now and then does not touch
    /// it, a server that pauses in most slices does.
    pub(crate) fn typical(&self, quantile: f64) -> f64 {
        Estimate::of(self.0.iter().filter(|slice| !slice.is_empty()).map(|slice| micros(slice, quantile))).median
    }
}

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}
