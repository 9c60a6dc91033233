//! Shapes as SVG text. Paints are classes: `currentColor` is what the style sheet makes of them on the reader's page.

use super::Chart;
use super::plot::{HEIGHT, WIDTH};
use super::shape::{Anchor, DASHES, DOT, LIGHT, Point, Shape};
use super::style::{class, sheet};

impl Chart {
    /// The picture as an SVG file's text. It follows whether its reader prefers light or dark pages.
    pub fn svg(&self) -> String {
        let (title, style) = (escaped(&self.title), sheet());
        let shapes: String = self.shapes().iter().map(written).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"system-ui, sans-serif\" role=\"img\">\n\
             <title>{title}</title>\n<style>{style}</style>\n{shapes}</svg>\n"
        )
    }
}

fn written(shape: &Shape) -> String {
    match shape {
        Shape::Line { through, paint, width, dashed } => {
            let dashes =
                if *dashed { format!(" stroke-dasharray=\"{} {}\"", DASHES[0], DASHES[1]) } else { String::new() };
            let (class, d) = (class(*paint), path(through));
            format!(
                "<path class=\"{class}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"{width}\"{dashes} \
                 d=\"{d}\"/>\n"
            )
        }
        Shape::Area { around, paint, light } => {
            let opacity = if *light { format!(" fill-opacity=\"{LIGHT}\"") } else { String::new() };
            let (class, d) = (class(*paint), path(around));
            format!("<path class=\"{class}\" fill=\"currentColor\"{opacity} d=\"{d}Z\"/>\n")
        }
        Shape::Dot { at: (x, y), paint } => {
            let class = class(*paint);
            format!("<circle class=\"{class}\" fill=\"currentColor\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{DOT}\"/>\n")
        }
        Shape::Text { at: (x, y), anchor, size, turned, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let turn = if *turned { format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"") } else { String::new() };
            let text = escaped(text);
            format!(
                "<text class=\"ink\" fill=\"currentColor\" font-size=\"{size}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" \
                 y=\"{y:.1}\"{turn}>{text}</text>\n"
            )
        }
    }
}

fn path(points: &[Point]) -> String {
    let step = |(nth, &(x, y)): (usize, &Point)| format!("{}{x:.1} {y:.1}", if nth == 0 { 'M' } else { 'L' });
    points.iter().enumerate().map(step).collect()
}

/// Text that stays text: markup is written out, and what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}')) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}
