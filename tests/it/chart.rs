//! Pictures: what they show, on which page, and that nothing given to them breaks them.

use std::io::Read;

use proptest::prelude::*;
use segue::chart::{Chart, Kind, Series, Theme, Value};

fn chart(kind: Kind, series: Vec<Vec<Option<Value>>>) -> Chart {
    let places = series.iter().map(Vec::len).max().unwrap_or(0);
    let named = |(at, values)| Series { name: format!("series {at}"), values };
    Chart {
        title: "Hit rate <over> time & more".into(),
        x: "month".into(),
        y: "hit rate (%)".into(),
        names: (0..places).map(|at| format!("2013-{at:02}")).collect(),
        series: series.into_iter().enumerate().map(named).collect(),
        kind,
    }
}

fn three() -> Vec<Option<Value>> {
    vec![Some(Value::within(12.0, 10.0, 14.0)), Some(Value::exact(9.0)), Some(Value::within(15.0, 13.0, 18.0))]
}

/// Width, height and unpacked rows of a PNG file, every chunk checked.
fn png(file: &[u8]) -> Result<(u32, u32, Vec<u8>), String> {
    let mut rest = file.strip_prefix(b"\x89PNG\r\n\x1a\n").ok_or("no signature")?;
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    let (mut size, mut rows) = ((0, 0), Vec::new());
    while !rest.is_empty() {
        let (len, named) = rest.split_at(4);
        let (chunk, after) = named.split_at(4 + number(len) as usize);
        let mut sum = flate2::Crc::new();
        sum.update(chunk);
        assert_eq!(number(&after[..4]), sum.sum());
        match &chunk[..4] {
            b"IHDR" => size = (number(&chunk[4..8]), number(&chunk[8..12])),
            b"IDAT" => {
                let mut unpacked = flate2::read::ZlibDecoder::new(&chunk[4..]);
                unpacked.read_to_end(&mut rows).map_err(|error| error.to_string())?;
            }
            _ => (),
        }
        rest = &after[4..];
    }
    Ok((size.0, size.1, rows))
}

#[test]
fn a_line_has_its_axes_its_legend_and_its_shade() {
    let svg = chart(Kind::Lines, vec![three()]).svg();
    for expected in ["Hit rate &lt;over&gt; time &amp; more", ">month<", ">hit rate (%)<", ">series 0<", ">2013-02<"] {
        assert!(svg.contains(expected), "{expected} is missing: {svg}");
    }
    assert_eq!(svg.matches("<circle").count(), 3);
    assert_eq!(svg.matches("fill-opacity").count(), 1);
    assert_eq!(svg.matches("stroke-width=\"2\"").count(), 1);
    assert!(svg.contains("prefers-color-scheme:dark"), "it follows the reader's page");
}

#[test]
fn a_gap_breaks_a_line_and_what_is_no_number_is_a_gap() {
    let nan = Some(Value::exact(f64::NAN));
    for gap in [None, nan, Some(Value::within(1.0, f64::NEG_INFINITY, 2.0))] {
        let [first, _, last] = three().try_into().unwrap();
        let svg = chart(Kind::Lines, vec![vec![first, gap, last]]).svg();
        assert_eq!(svg.matches("stroke-width=\"2\"").count(), 2, "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}

#[test]
fn bars_stand_on_zero_with_whiskers() {
    let svg = chart(Kind::Bars, vec![three(), vec![Some(Value::exact(-3.0))]]).svg();
    // Four bars, the legend's two marks, and the page.
    assert_eq!(svg.matches("fill=\"currentColor\" d=").count(), 7);
    // Two whiskers and the axis through zero.
    assert_eq!(svg.matches("<path class=\"ink\"").count(), 3);
}

#[test]
fn pixels_differ_by_theme_and_hold_text() {
    let drawn = chart(Kind::Lines, vec![three()]);
    let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| png(&drawn.png(theme).unwrap()).unwrap());
    // Behind each row stands the byte that names its filter.
    assert_eq!((light.0, light.1, light.2.len()), (1920, 920, 920 * (3 * 1920 + 1)));
    assert_eq!((&light.2[1..4], &dark.2[1..4]), (&[255, 255, 255][..], &[13, 17, 23][..]), "their pages");
    // Letters are drawn: another title is another picture.
    let untitled = Chart { title: String::new(), ..drawn };
    assert_ne!(png(&untitled.png(Theme::Light).unwrap()).unwrap(), light);
}

fn anything() -> impl Strategy<Value = Chart> {
    let value = prop::option::of((any::<f64>(), any::<f64>()));
    let values = prop::collection::vec(prop::collection::vec(value, 0..5), 0..10);
    (values, any::<String>(), any::<bool>()).prop_map(|(values, title, bars)| {
        let value = |(value, low): (f64, f64)| Value { value, interval: Some((low, value)) };
        let series = values.into_iter().map(|values| values.into_iter().map(|v| v.map(value)).collect()).collect();
        Chart { title, ..chart(if bars { Kind::Bars } else { Kind::Lines }, series) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_drawn_is_well_formed(chart in anything()) {
        let svg = chart.svg();
        let drawn = svg.split_once("</title>").unwrap().1;
        prop_assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{svg}");
        prop_assert_eq!(svg.matches('<').count(), svg.matches('>').count(), "markup was let through");
    }
}

proptest! {
    // Each takes half a second to fill in, unoptimised.
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn whatever_is_filled_in_is_a_png(chart in anything()) {
        prop_assert!(png(&chart.png(Theme::Dark).unwrap()).is_ok());
    }
}
