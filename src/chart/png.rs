//! Shapes as pixels, and pixels as a PNG file (RFC 2083).

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use tiny_skia::{FillRule, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};

use super::letters::Font;
use super::plot::{HEIGHT, WIDTH};
use super::shape::{DASHES, DOT, LIGHT, Paint, Point, Shape};
use super::style::colour;
use super::{Chart, Theme};

/// Pixels for each unit of the page: sharp on fine screens.
const SCALE: f32 = 2.0;

impl Chart {
    /// The picture as a PNG file's bytes, on an opaque page.
    pub fn png(&self, theme: Theme) -> io::Result<Vec<u8>> {
        let missing = |what| io::Error::other(format!("a picture cannot be drawn: {what}"));
        let font = Font::own().ok_or_else(|| missing("its font does not open"))?;
        let (width, height) = ((WIDTH as f32 * SCALE) as u32, (HEIGHT as f32 * SCALE) as u32);
        let pixels = Pixmap::new(width, height).ok_or_else(|| missing("it has no size"))?;
        let mut canvas = Canvas { pixels, font, theme };
        self.shapes().iter().for_each(|shape| canvas.draw(shape));
        encoded(&canvas.pixels)
    }
}

struct Canvas {
    pixels: Pixmap,
    font: Font,
    theme: Theme,
}

impl Canvas {
    /// Draws one shape; one without any extent leaves no pixel.
    fn draw(&mut self, shape: &Shape) {
        let page = Transform::from_scale(SCALE, SCALE);
        match shape {
            Shape::Line { through, paint, width, dashed } => {
                let dash = if *dashed { StrokeDash::new(DASHES.to_vec(), 0.0) } else { None };
                let stroke = Stroke { width: *width as f32, dash, ..Stroke::default() };
                if let Some(path) = path(through, false) {
                    let paint = self.paint(*paint, 1.0);
                    self.pixels.stroke_path(&path, &paint, &stroke, page, None);
                }
            }
            Shape::Area { around, paint, light } => {
                self.fill(path(around, true), *paint, if *light { LIGHT } else { 1.0 }, page);
            }
            Shape::Dot { at: (x, y), paint } => {
                self.fill(PathBuilder::from_circle(*x as f32, *y as f32, DOT as f32), *paint, 1.0, page);
            }
            Shape::Text { at: (x, y), anchor, size, turned, text } => {
                let turn = Transform::from_rotate(if *turned { -90.0 } else { 0.0 });
                let place = turn.post_translate(*x as f32, *y as f32).post_concat(page);
                self.fill(self.font.outline(text, *size, *anchor), Paint::Ink, 1.0, place);
            }
        }
    }

    fn fill(&mut self, path: Option<Path>, paint: Paint, opacity: f32, place: Transform) {
        if let Some(path) = path {
            let paint = self.paint(paint, opacity);
            self.pixels.fill_path(&path, &paint, FillRule::Winding, place, None);
        }
    }

    fn paint(&self, paint: Paint, opacity: f32) -> tiny_skia::Paint<'static> {
        let [red, green, blue] = colour(self.theme, paint);
        let mut found = tiny_skia::Paint::default();
        found.set_color_rgba8(red, green, blue, (opacity * 255.0) as u8);
        found
    }
}

fn path(points: &[Point], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (nth, &(x, y)) in points.iter().enumerate() {
        if nth == 0 { path.move_to(x as f32, y as f32) } else { path.line_to(x as f32, y as f32) }
    }
    if closed {
        path.close();
    }
    path.finish()
}

/// Eight bits each of red, green and blue; the page is opaque.
fn encoded(pixels: &Pixmap) -> io::Result<Vec<u8>> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixels.data().chunks_exact(4 * pixels.width() as usize) {
        // No filter: pictures of flat areas pack well as they are.
        packed.write_all(&[0])?;
        let colours = row.chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied();
        packed.write_all(&colours.collect::<Vec<u8>>())?;
    }
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    // Bit depth 8, colour type 2 (RGB), and the only methods of compression, filtering and order.
    let header = [&pixels.width().to_be_bytes()[..], &pixels.height().to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    for (name, data) in [(b"IHDR", header), (b"IDAT", packed.finish()?), (b"IEND", Vec::new())] {
        chunk(&mut out, name, &data)?;
    }
    Ok(out)
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) -> io::Result<()> {
    let len = u32::try_from(data.len()).map_err(io::Error::other)?;
    let mut sum = Crc::new();
    sum.update(name);
    sum.update(data);
    for part in [&len.to_be_bytes(), &name[..], data, &sum.sum().to_be_bytes()] {
        out.write_all(part)?;
    }
    Ok(())
}
