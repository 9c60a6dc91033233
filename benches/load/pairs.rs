//! One row: both sides in turns, window by window, and what their ratios come to.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Outcome;
use super::args::Args;
use super::generator::{Generator, Pool};
use super::rows::{Measure, Row, Side};
use super::servers::child::{Process, Spent};
use super::servers::{House, Server};
use super::stats::Estimate;

/// Below this share of its core's time a server was not kept busy, and its throughput is not all it has.
const BUSY: f64 = 0.95;
/// Above this share of disturbed time the machine was not quiet.
const QUIET: f64 = 0.02;

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
    /// The share of the time in which the server or the generator waited for its core: others were using it.
    disturbed: f64,
    /// Microseconds to the 99th percentile in the typical twentieth of a second.
    p99: f64,
    /// Microseconds to the median, the 99th and the 99.9th percentile.
    latency: [f64; 3],
}

impl Window {
    fn value(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Throughput => self.per_cpu,
            Measure::Latency => self.p99,
        }
    }

    fn told(&self) -> String {
        let Self { per_cpu, p99, latency: [p50, whole, p999], .. } = self;
        let [busy, disturbed] = [self.busy(), self.disturbed].map(|share| 100.0 * share);
        let latency =
            if *p50 > 0.0 { format!(", p99 {p99:.0} of {p50:.0}/{whole:.0}/{p999:.0} us") } else { String::new() };
        format!("{:.1}k/s, {busy:.1} % busy, {disturbed:.1} % disturbed{latency}", per_cpu / 1e3)
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
        if args.each {
            let [ours, theirs] = pair.map(|window| window.told());
            eprintln!("{}, pair {}: {ours} : {theirs}", row.name(), at + 1);
        }
    }
    Ok(Measured { row, pairs, rate })
}

/// Of the slower side: both get the same rate. The better of two windows, as others can only make it look worse.
fn half_of_saturation(sides: &[Asked; 2], args: &Args) -> Outcome<f64> {
    let mut slower = f64::INFINITY;
    for side in sides {
        let windows = [side.saturated(args)?, side.saturated(args)?];
        slower = slower.min(windows.map(|window| window.per_second).into_iter().fold(0.0, f64::max));
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
        let clock = Clock::start(&self.server.process)?;
        let answers = generator.saturate(args.window)?;
        let window = clock.stop(answers)?;
        generator.drain()?;
        Ok(window)
    }

    fn at_rate(&self, rate: f64, args: &Args) -> Outcome<Window> {
        let mut generator = self.generator()?;
        generator.open_loop(rate, args.warm_up)?;
        let clock = Clock::start(&self.server.process)?;
        let latency = generator.open_loop(rate, args.window)?;
        let window = clock.stop(latency.count())?;
        Ok(Window { p99: latency.typical(0.99), latency: latency.quantiles([0.5, 0.99, 0.999])?, ..window })
    }
}

/// What a window takes of time, the server's and the generator's.
struct Clock<'p> {
    server: &'p Process,
    began: Instant,
    servers: Spent,
    generators: Spent,
}

impl<'p> Clock<'p> {
    fn start(server: &'p Process) -> Outcome<Self> {
        Ok(Self { server, generators: Spent::here()?, servers: server.spent()?, began: Instant::now() })
    }

    fn stop(self, answers: u64) -> Outcome<Window> {
        let took = self.began.elapsed();
        let server = self.server.spent()?.since(self.servers);
        let generator = Spent::here()?.since(self.generators);
        Ok(Window {
            per_cpu: per(answers, server.running),
            per_second: per(answers, took),
            disturbed: server.waiting.max(generator.waiting).as_secs_f64() / took.as_secs_f64(),
            ..Window::default()
        })
    }
}

fn per(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What the lines of [`Measured::print`] mean.
pub(super) fn print_head(args: &Args) {
    println!(
        "{} pairs of windows of {:?}; the ratio ours : theirs is the median, with its 95 % interval",
        args.pairs, args.window
    );
    println!("throughput: answers per second of the server's time on its core");
    println!(
        "p99: of the typical twentieth of a second; on the sides stand p50 / p99 / p99.9 of the whole time, in us"
    );
    println!("{:38} {:22} {:13} {:>22} {:>22}", "what", "ratio", "bar", "ours", "theirs");
}

impl Measured {
    pub(super) fn print(&self) {
        let measure = self.row.measure;
        let ratios = self.pairs.iter().map(|[ours, theirs]| ours.value(measure) / theirs.value(measure));
        let estimate = Estimate::of(ratios);
        let Estimate { median, low, high } = estimate;
        let ratio = format!("{median:.3} [{low:.3}, {high:.3}]");
        let [ours, theirs] = [0, 1].map(|side| self.told(side));
        let (name, verdict, noise) = (self.row.name(), self.verdict(&estimate), self.noise());
        println!("{name:38} {ratio:22} {verdict:13} {ours:>22} {theirs:>22}  {noise}");
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

    /// Says so where the machine was not quiet.
    fn noise(&self) -> String {
        let disturbed = Estimate::of(self.pairs.iter().flatten().map(|window| window.disturbed)).median;
        if disturbed > QUIET { format!("{:.0} % disturbed", 100.0 * disturbed) } else { String::new() }
    }

    /// A side's own figures.
    fn told(&self, side: usize) -> String {
        let of = |value: fn(&Window) -> f64| Estimate::of(self.pairs.iter().map(|pair| value(&pair[side]))).median;
        if let Some(rate) = self.rate {
            let [p50, p99, p999] = [of(|w| w.latency[0]), of(|w| w.latency[1]), of(|w| w.latency[2])];
            return format!("{p50:.0}/{p99:.0}/{p999:.0} @{:.0}k/s", rate / 1e3);
        }
        let busy = of(Window::busy);
        let idle = if busy < BUSY { format!(" ({:.0} % busy)", 100.0 * busy) } else { String::new() };
        format!("{:.1}k/s{idle}", of(|window| window.per_cpu) / 1e3)
    }
}
