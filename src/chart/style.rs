//! Colours, told apart by people who see few of them, for light and dark pages.

use super::Theme;
use super::shape::Paint;

/// Series that have a colour of their own; after them, colours come again with dashed lines.
pub(super) const COLOURS: usize = 8;

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

struct Palette {
    page: u32,
    ink: u32,
    grid: u32,
    series: [u32; COLOURS],
}

const LIGHT: Palette = Palette {
    page: 0xffffff,
    ink: 0x1f2328,
    grid: 0xd8dee4,
    series: [0x0072b2, 0xd55e00, 0x008060, 0xb0568c, 0xa66f00, 0x2f8fc4, 0x6e7781, 0x6a3d9a],
};

const DARK: Palette = Palette {
    page: 0x0d1117,
    ink: 0xe6edf3,
    grid: 0x30363d,
    series: [0x4da6e0, 0xff8c42, 0x2fc79a, 0xe29cc4, 0xe6b030, 0x8fd0f5, 0xa9b1ba, 0xb79ae0],
};

pub(super) fn colour(theme: Theme, paint: Paint) -> Colour {
    let palette = match theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    let [_, red, green, blue] = match paint {
        Paint::Page => palette.page,
        Paint::Ink => palette.ink,
        Paint::Grid => palette.grid,
        Paint::Series(at) => palette.series[at % COLOURS],
    }
    .to_be_bytes();
    [red, green, blue]
}

/// What a paint is called in a style sheet.
pub(super) fn class(paint: Paint) -> String {
    match paint {
        Paint::Page => "page".into(),
        Paint::Ink => "ink".into(),
        Paint::Grid => "grid".into(),
        Paint::Series(at) => format!("s{}", at % COLOURS),
    }
}

/// The style sheet of a picture that follows its reader: each paint is a colour of its own on either page.
pub(super) fn sheet() -> String {
    let paints = || [Paint::Page, Paint::Ink, Paint::Grid].into_iter().chain((0..COLOURS).map(Paint::Series));
    let rules = |theme| {
        let rule = |paint| {
            let [red, green, blue] = colour(theme, paint);
            format!(".{}{{color:#{red:02x}{green:02x}{blue:02x}}}", class(paint))
        };
        paints().map(rule).collect::<String>()
    };
    format!("{}@media (prefers-color-scheme:dark){{{}}}", rules(Theme::Light), rules(Theme::Dark))
}
