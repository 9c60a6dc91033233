//! Around the marks: page, title, axes, legend.

use super::plot::{BOTTOM, HEIGHT, LEFT, Plot, RIGHT, TOP, WIDTH};
use super::scale::Scale;
use super::shape::{Anchor, Paint, Shape};
use super::{Chart, Series, Value};

/// The longest text of a legend, in letters; the rest is cut.
const LONGEST_NAME: usize = 32;
/// What a letter along the bottom takes, about.
const LETTER: f64 = 7.0;
/// Between two lines of a legend.
const LINE: f64 = 20.0;

impl Chart {
    /// The picture, what lies behind first.
    pub(super) fn shapes(&self) -> Vec<Shape> {
        let shown = self.series.iter().flat_map(|series| &series.values).flatten().filter(|value| value.is_finite());
        let reach = |value: &Value| {
            let (low, high) = value.interval.unwrap_or((value.value, value.value));
            [low, value.value, high]
        };
        let plot = Plot { chart: self, scale: Scale::of(shown.flat_map(reach)) };
        let title = Shape::Text {
            at: (LEFT, 28.0),
            anchor: Anchor::Start,
            size: 16.0,
            turned: false,
            text: self.title.clone(),
        };
        let mut shapes = vec![Shape::rect(0.0, 0.0, WIDTH, HEIGHT, Paint::Page), title];
        shapes.extend(self.axes(&plot));
        shapes.extend(plot.marks());
        shapes.extend(self.series.iter().enumerate().flat_map(|(at, series)| legend(at, series)));
        shapes
    }

    fn axes(&self, plot: &Plot<'_>) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for (value, tick) in plot.scale.ticks() {
            let (y, paint) = (plot.y(value), if value == 0.0 { Paint::Ink } else { Paint::Grid });
            shapes.push(Shape::thin((LEFT, y), (RIGHT, y), paint));
            shapes.push(Shape::text((LEFT - 8.0, y + 4.0), Anchor::End, &tick));
        }
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(1);
        let room = ((RIGHT - LEFT) / ((longest + 2) as f64 * LETTER)).max(1.0);
        let every = (self.names.len() as f64 / room).ceil().max(1.0) as usize;
        for (at, name) in self.names.iter().enumerate().step_by(every) {
            shapes.push(Shape::text((plot.x(at), BOTTOM + 20.0), Anchor::Middle, name));
        }
        shapes.push(Shape::text((f64::midpoint(LEFT, RIGHT), HEIGHT - 14.0), Anchor::Middle, &self.x));
        let at = (20.0, f64::midpoint(TOP, BOTTOM));
        shapes.push(Shape::Text { at, anchor: Anchor::Middle, size: 13.0, turned: true, text: self.y.clone() });
        shapes
    }
}

fn legend(at: usize, series: &Series) -> [Shape; 2] {
    let (x, y) = (RIGHT + 20.0, TOP + 8.0 + LINE * at as f64);
    let cut = series.name.chars().count() > LONGEST_NAME;
    let name: String = series.name.chars().take(if cut { LONGEST_NAME - 1 } else { LONGEST_NAME }).collect();
    let name = if cut { name + "…" } else { name };
    [Shape::rect(x, y - 6.0, 14.0, 4.0, Paint::Series(at)), Shape::text((x + 20.0, y), Anchor::Start, &name)]
}
