//! The marks: lines with shaded intervals, bars with whiskers.

use super::scale::Scale;
use super::shape::{Paint, Point, Shape};
use super::style::COLOURS;
use super::{Chart, Kind, Series, Value};

pub(super) const WIDTH: f64 = 960.0;
pub(super) const HEIGHT: f64 = 460.0;
pub(super) const LEFT: f64 = 78.0;
pub(super) const RIGHT: f64 = 690.0;
pub(super) const TOP: f64 = 52.0;
pub(super) const BOTTOM: f64 = 390.0;

/// The share of a place's room that its bars take.
const BARS: f64 = 0.8;

pub(super) struct Plot<'c> {
    pub(super) chart: &'c Chart,
    pub(super) scale: Scale,
}

/// A value with its place.
type Placed = (usize, Value);

impl Plot<'_> {
    /// The middle of a place.
    pub(super) fn x(&self, at: usize) -> f64 {
        LEFT + self.room() * (at as f64 + 0.5)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * self.scale.share(value)
    }

    fn room(&self) -> f64 {
        (RIGHT - LEFT) / self.chart.names.len().max(1) as f64
    }

    pub(super) fn marks(&self) -> Vec<Shape> {
        let series = self.chart.series.iter().enumerate();
        match self.chart.kind {
            Kind::Lines => series.flat_map(|(at, series)| self.lines(at, series)).collect(),
            Kind::Bars => series.flat_map(|(at, series)| self.bars(at, series)).collect(),
        }
    }

    fn lines(&self, nth: usize, series: &Series) -> Vec<Shape> {
        let (paint, dashed) = (Paint::Series(nth), nth >= COLOURS);
        let mut shapes = Vec::new();
        for run in self.runs(series) {
            let through: Vec<Point> = run.iter().map(|&(at, value)| (self.x(at), self.y(value.value))).collect();
            let around = self.shade(&run);
            if !around.is_empty() {
                shapes.push(Shape::Area { around, paint, light: true });
            }
            let dots = through.iter().map(|&at| Shape::Dot { at, paint }).collect::<Vec<_>>();
            shapes.push(Shape::Line { through, paint, width: 2.0, dashed });
            shapes.extend(dots);
        }
        shapes
    }

    /// The border of the intervals; of a single place, of a bar between its ends.
    fn shade(&self, run: &[Placed]) -> Vec<Point> {
        let ends = |&(at, value): &Placed| value.interval.map(|(low, high)| (self.x(at), self.y(low), self.y(high)));
        let ends: Vec<(f64, f64, f64)> = run.iter().filter_map(ends).collect();
        let half = if ends.len() == 1 { 4.0 } else { 0.0 };
        let above = ends.iter().flat_map(|&(x, _, high)| [(x - half, high), (x + half, high)]);
        let below = ends.iter().rev().flat_map(|&(x, low, _)| [(x + half, low), (x - half, low)]);
        above.chain(below).collect()
    }

    /// Stretches without a gap.
    fn runs(&self, series: &Series) -> Vec<Vec<Placed>> {
        let values: Vec<Option<Placed>> = (0..self.chart.names.len()).map(|at| placed(series, at)).collect();
        let runs = values.split(Option::is_none).map(|run| run.iter().copied().flatten().collect::<Vec<_>>());
        runs.filter(|run| !run.is_empty()).collect()
    }

    fn bars(&self, nth: usize, series: &Series) -> Vec<Shape> {
        let width = self.room() * BARS / self.chart.series.len().max(1) as f64;
        let left = |at: usize| self.x(at) - self.room() * BARS / 2.0 + width * nth as f64;
        let shown = (0..self.chart.names.len()).filter_map(|at| placed(series, at));
        shown.flat_map(|(at, value)| self.bar(left(at), width, Paint::Series(nth), value)).collect()
    }

    fn bar(&self, x: f64, width: f64, paint: Paint, value: Value) -> Vec<Shape> {
        let (zero, end) = (self.y(0.0), self.y(value.value));
        let (top, height, wide) = (zero.min(end), (zero - end).abs(), (width - 2.0).max(0.5));
        let middle = x + wide / 2.0;
        let whisker = |(low, high)| Shape::thin((middle, self.y(low)), (middle, self.y(high)), Paint::Ink);
        [Shape::rect(x, top, wide, height, paint)].into_iter().chain(value.interval.map(whisker)).collect()
    }
}

fn placed(series: &Series, at: usize) -> Option<Placed> {
    let value = series.values.get(at).copied().flatten()?;
    value.is_finite().then_some((at, value))
}
