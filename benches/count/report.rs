//! Figures, and what is asked of them.

use std::fmt;
use std::process::ExitCode;

use bytesize::ByteSize;

use crate::engines::Engine;
use crate::log::SimulatedLog;
use crate::measure::{Sample, Taken, ratios, short};

/// Asked of 100 M rows: wall time beside DuckDB's, and cost per row beside that of 10 M.
const MOST_OF_DUCKDB: f64 = 1.2;
const MOST_OF_SMALLER: f64 = 1.15;
const GIB: f64 = (1_u64 << 30) as f64;

/// What all rounds over one log took.
pub(crate) struct Figures {
    asked: u64,
    rows: u64,
    bytes: u64,
    taken: Vec<(Engine, Vec<Taken>)>,
}

impl Figures {
    pub(crate) fn new(log: &SimulatedLog, taken: Vec<(Engine, Vec<Taken>)>) -> Self {
        Self { asked: log.asked, rows: log.rows, bytes: log.bytes, taken }
    }

    fn sample(&self, engine: Engine, figure: fn(&Taken) -> f64) -> Option<Sample> {
        let (_, runs) = self.taken.iter().find(|(found, _)| *found == engine)?;
        Some(runs.iter().map(figure).collect())
    }

    fn beside(&self, peer: Engine, figure: fn(&Taken) -> f64) -> Option<Sample> {
        Some(ratios(&self.sample(Engine::Segue, figure)?, &self.sample(peer, figure)?))
    }

    /// Microseconds of wall time a row.
    fn cost(&self) -> Option<f64> {
        Some(1e6 * self.sample(Engine::Segue, |taken| taken.wall)?.median() / self.rows as f64)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.taken.first().map_or(0, |(_, runs)| runs.len());
        let (rows, megabytes) = (self.rows as f64 / 1e6, self.bytes / 1_000_000);
        writeln!(f, "\n{} rows ({rows:.2} M, {megabytes} MB of Parquet), {rounds} rounds", short(self.asked))?;
        for (engine, runs) in &self.taken {
            let sample = |figure: fn(&Taken) -> f64| runs.iter().map(figure).collect::<Sample>();
            let (wall, cpu) = (sample(|taken| taken.wall), sample(|taken| taken.cpu));
            let (rss, anon) = (sample(|taken| taken.rss as f64 / GIB), sample(|taken| taken.anon as f64 / GIB));
            let (ns, name) = (1e9 * wall.median() / self.rows as f64, engine.name());
            writeln!(
                f,
                "  {name:7} wall {wall} s, {ns:.0} ns a row; cpu {cpu} s; peak RSS {rss}, anonymous {anon} GiB"
            )?;
        }
        for peer in [Engine::DuckDb, Engine::Polars] {
            let beside = |figure| self.beside(peer, figure);
            if let (Some(wall), Some(cpu), Some(rss)) =
                (beside(|taken| taken.wall), beside(|taken| taken.cpu), beside(|taken| taken.rss as f64))
            {
                writeln!(f, "  segue : {:7} wall {wall}, cpu {cpu}, peak RSS {rss}", peer.name())?;
            }
        }
        Ok(())
    }
}

/// Holds 100 M rows to what is asked of them.
pub(crate) fn judge(figures: &[Figures], memory: ByteSize) -> ExitCode {
    let of = |asked: u64| figures.iter().find(|figures| figures.asked == asked);
    let Some(largest) = of(100_000_000) else { return ExitCode::SUCCESS };
    let mut kept = true;
    let mut hold = |what: &str, found: Option<f64>, most: f64| {
        let Some(found) = found else { return };
        let verdict = if found <= most { "kept" } else { "BROKEN" };
        println!("{what}: {found:.2}, at most {most:.2}: {verdict}");
        kept &= found <= most;
    };
    let beside = largest.beside(Engine::DuckDb, |taken| taken.wall);
    hold("100 M rows, wall time : DuckDB's", beside.map(|ratios| ratios.median()), MOST_OF_DUCKDB);
    let peak = largest.sample(Engine::Segue, |taken| taken.rss as f64 / GIB);
    hold("100 M rows, peak RSS in GiB", peak.map(|peak| peak.median()), memory.as_u64() as f64 / GIB);
    let smaller = of(10_000_000).and_then(Figures::cost);
    let growth = largest.cost().zip(smaller).map(|(large, small)| large / small);
    hold("cost per row, 100 M : 10 M", growth, MOST_OF_SMALLER);
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
