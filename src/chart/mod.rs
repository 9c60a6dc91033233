//! Pictures of figures: values over time with their intervals, or bars. Pure: values in, text or bytes out.
//!
//! A chart is laid out as shapes once. [`Chart::svg`] writes them as text, readable on light and dark pages, as it follows
//! the reader's preference; [`Chart::png`] fills them in, with letters that the program brings along.

mod frame;
mod letters;
mod plot;
mod png;
mod scale;
mod shape;
mod style;
mod svg;

/// A picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What it shows, above it.
    pub title: String,
    /// What the names along the bottom are (`day`, `month`, `k`).
    pub x: String,
    /// What the values are, with their unit.
    pub y: String,
    /// The places along the bottom, in order, equally far apart; where they are many, some are left unnamed.
    pub names: Vec<String>,
    /// What is drawn over them.
    pub series: Vec<Series>,
    /// How.
    pub kind: Kind,
}

/// How values are drawn. Zero is always on the axis, so that heights compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A line for each series, its intervals shaded.
    #[default]
    Lines,
    /// Bars side by side, their intervals as whiskers.
    Bars,
}

/// One value for each of the chart's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// As the legend calls it.
    pub name: String,
    /// In the order of [`Chart::names`]; a line is broken where there is none.
    pub values: Vec<Option<Value>>,
}

/// A value, perhaps with an interval around it. One that is not finite is not drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The value.
    pub value: f64,
    /// Its interval's ends.
    pub interval: Option<(f64, f64)>,
}

impl Value {
    /// A value without an interval.
    pub fn exact(value: f64) -> Self {
        Self { value, interval: None }
    }

    /// A value in its interval.
    pub fn within(value: f64, low: f64, high: f64) -> Self {
        Self { value, interval: Some((low, high)) }
    }

    fn is_finite(&self) -> bool {
        self.value.is_finite() && self.interval.is_none_or(|(low, high)| low.is_finite() && high.is_finite())
    }
}

/// The page that a PNG is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// A white page.
    #[default]
    Light,
    /// A dark one.
    Dark,
}
