//! One row: both sides in turns, window by window, and what their ratios come to.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Outcome;
use super::args::Args;
use super::generator::{Generator, Pool};
use super::rows::{Measure, Row, Side};
use super::servers::{House, Server};
use super::stats::{Estimate, median};

/// Below this share of its core's time a server was not kept busy, and its throughput is not all it has.
const BUSY: f64 = 0.95;

/// A row and its windows, pair by pair: ours, theirs.
pub(super) struct Measured {
    row: Row,
    pairs: Vec<[Window; 2]>,
    /// Requests a second, where the rate was fixed.
    rate: Option<f64>,
}

#[derive(Clone, Copy, Default)]
struct Window {
    /// Answers per second of the server's time on the processor.
    per_cpu: f64,
    /// Answers per second.
    per_second: f64,
    /// Microseconds to the median, the 99th and the 99.9th percentile.
    latency: [f64; 3],
}

impl Window {
    fn value(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Throughput => self.per_cpu,
            Measure::Latency => self.latency[1],
        }
    }

    /// The share of the time in which the server was on a processor.
    fn busy(&self) -> f64 {
        self.per_second / self.per_cpu
    }
}

pub(super) fn measure(house: &mut House, args: &Args, row: Row) -> Outcome<Measured> {
    let sides = [Asked::new(house, row.ours)?, Asked::new(house, row.theirs)?];
    let rate = match row.measure {
        Measure::Throughput => None,
        Measure::Latency => Some(half_of_saturation(&sides, args)?),
    };
    let mut pairs = vec![[Window::default(); 2]; args.pairs];
    for (at, pair) in pairs.iter_mut().enumerate() {
        // Each side comes first as often, so that what goes on around them favours none.
        for side in [at % 2, 1 - at % 2] {
            pair[side] = match rate {
                None => sides[side].saturated(args)?,
                Some(rate) => sides[side].at_rate(rate, args)?,
            };
        }
    }
    Ok(Measured { row, pairs, rate })
}

/// Of the slower side: both get the same rate.
fn half_of_saturation(sides: &[Asked; 2], args: &Args) -> Outcome<f64> {
    let mut slower = f64::INFINITY;
    for side in sides {
        slower = slower.min(side.saturated(args)?.per_second);
    }
    Ok(slower / 2.0)
}

/// A side about to be asked.
struct Asked {
    side: Side,
    server: Server,
    pool: Rc<Pool>,
}

impl Asked {
    fn new(house: &mut House, side: Side) -> Outcome<Self> {
        let server = house.server(&side)?;
        Ok(Self { side, server, pool: Rc::new(Pool::new(side.call, house.world(&side))) })
    }

    /// New connections in each window, so that no luck of theirs lasts.
    fn generator(&self) -> Outcome<Generator> {
        Generator::connect(&self.server.target, self.side.call, self.side.shape, &self.pool)
    }

    fn saturated(&self, args: &Args) -> Outcome<Window> {
        let mut generator = self.generator()?;
        generator.saturate(args.warm_up)?;
        let (began, spent) = (Instant::now(), self.server.process.time()?);
        let answers = generator.saturate(args.window)? as f64;
        let (spent, took) = (self.server.process.time()? - spent, began.elapsed());
        generator.drain()?;
        Ok(Window { per_cpu: per(answers, spent), per_second: per(answers, took), ..Window::default() })
    }

    fn at_rate(&self, rate: f64, args: &Args) -> Outcome<Window> {
        let mut generator = self.generator()?;
        generator.open_loop(rate, args.warm_up)?;
        let (began, spent) = (Instant::now(), self.server.process.time()?);
        let latency = generator.open_loop(rate, args.window)?;
        let (spent, took) = (self.server.process.time()? - spent, began.elapsed());
        let answers = latency.len() as f64;
        let micros = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        let latency = [0.5, 0.99, 0.999].map(micros);
        Ok(Window { per_cpu: per(answers, spent), per_second: per(answers, took), latency })
    }
}

fn per(count: f64, time: Duration) -> f64 {
    count / time.as_secs_f64()
}

/// What the lines of [`Measured::print`] mean.
pub(super) fn print_head(args: &Args) {
    println!(
        "{} pairs of windows of {:?}; the ratio ours : theirs is the median, with its 95 % interval",
        args.pairs, args.window
    );
    println!("throughput: answers per second of the server's time on its core; latency: p50 / p99 / p99.9 in us");
    println!("{:44} {:24} {:12} {:>22} {:>22}", "what", "ratio", "bar", "ours", "theirs");
}

impl Measured {
    pub(super) fn print(&self) {
        let measure = self.row.measure;
        let ratios = self.pairs.iter().map(|[ours, theirs]| ours.value(measure) / theirs.value(measure));
        let estimate = Estimate::new(ratios);
        let Estimate { median, low, high } = estimate;
        let ratio = format!("{median:.3} [{low:.3}, {high:.3}]");
        let [ours, theirs] = [0, 1].map(|side| self.told(side));
        println!("{:44} {ratio:24} {:12} {ours:>22} {theirs:>22}", self.row.name(), self.verdict(&estimate));
    }

    fn verdict(&self, estimate: &Estimate) -> String {
        let Some(bar) = self.row.bar else { return String::new() };
        let (sign, reached) = match self.row.measure {
            Measure::Throughput => (">=", estimate.median >= bar),
            // No difference that nine pairs could show is as good.
            Measure::Latency => ("<=", estimate.median <= bar || estimate.low <= 1.0),
        };
        format!("{sign} {bar}: {}", if reached { "yes" } else { "no" })
    }

    /// A side's own figures.
    fn told(&self, side: usize) -> String {
        let of = |value: fn(&Window) -> f64| median(self.pairs.iter().map(|pair| value(&pair[side])));
        if let Some(rate) = self.rate {
            let [p50, p99, p999] = [of(|w| w.latency[0]), of(|w| w.latency[1]), of(|w| w.latency[2])];
            return format!("{p50:.0}/{p99:.0}/{p999:.0} @{:.0}k/s", rate / 1e3);
        }
        let busy = of(Window::busy);
        let idle = if busy < BUSY { format!(" ({:.0} % busy)", 100.0 * busy) } else { String::new() };
        format!("{:.1}k/s{idle}", of(|window| window.per_cpu) / 1e3)
    }
}
