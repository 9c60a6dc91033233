//! What a picture is made of, in units of the page.

/// A point: to the right, downwards.
pub(super) type Point = (f64, f64);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A line through points.
    Line { through: Vec<Point>, paint: Paint, width: f64, dashed: bool },
    /// What points enclose; a light one lets what lies below it be seen.
    Area { around: Vec<Point>, paint: Paint, light: bool },
    /// A filled circle.
    Dot { at: Point, paint: Paint },
    /// A text in ink on the baseline at a point; turned, it reads upwards.
    Text { at: Point, anchor: Anchor, size: f64, turned: bool, text: String },
}

/// How opaque a light area is.
pub(super) const LIGHT: f32 = 0.2;
/// The radius of dots.
pub(super) const DOT: f64 = 3.0;
/// The drawn and the left out part of a dashed line.
pub(super) const DASHES: [f32; 2] = [6.0, 4.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Page,
    Ink,
    Grid,
    /// A series by its place.
    Series(usize),
}

/// Which part of a text lies at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Shape {
    pub(super) fn rect(left: f64, top: f64, width: f64, height: f64, paint: Paint) -> Self {
        let (right, bottom) = (left + width, top + height);
        Self::Area { around: vec![(left, top), (right, top), (right, bottom), (left, bottom)], paint, light: false }
    }

    pub(super) fn thin(from: Point, to: Point, paint: Paint) -> Self {
        Self::Line { through: vec![from, to], paint, width: 1.0, dashed: false }
    }

    pub(super) fn text(at: Point, anchor: Anchor, text: &str) -> Self {
        Self::Text { at, anchor, size: 13.0, turned: false, text: text.to_owned() }
    }
}
