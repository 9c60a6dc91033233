//! Letters as outlines, from a font that is part of the program.

use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, OutlineBuilder};

use super::shape::Anchor;

pub(super) struct Font(Face<'static>);

impl Font {
    /// The font; `None` would mean that the program was built with a broken one.
    pub(super) fn own() -> Option<Self> {
        Face::parse(epaint_default_fonts::UBUNTU_LIGHT, 0).ok().map(Self)
    }

    /// The outline of a text of `size` with its anchor on 0, 0; `None` where nothing of it can be seen. Letters that the
    /// font lacks are shown as its box.
    pub(super) fn outline(&self, text: &str, size: f64, anchor: Anchor) -> Option<Path> {
        let scale = size as f32 / f32::from(self.0.units_per_em());
        let mut drawn = Drawn { path: PathBuilder::new(), x: 0.0 };
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            let glyph = self.0.glyph_index(letter).unwrap_or_default();
            self.0.outline_glyph(glyph, &mut drawn);
            drawn.x += f32::from(self.0.glyph_hor_advance(glyph).unwrap_or(0));
        }
        let shift = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -drawn.x / 2.0,
            Anchor::End => -drawn.x,
        };
        // Fonts count upwards.
        drawn.path.finish()?.transform(Transform::from_translate(shift, 0.0).post_scale(scale, -scale))
    }
}

struct Drawn {
    path: PathBuilder,
    /// Where the letter begins.
    x: f32,
}

impl OutlineBuilder for Drawn {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + x1, y1, self.x + x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.cubic_to(self.x + x1, y1, self.x + x2, y2, self.x + x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
