//! Comparisons as pictures: SVG, drawn by hand, with nothing but lines, rectangles and text.

mod bars;
mod chart;
mod dendrogram;
mod heat;
mod labels;
mod speed;

use std::fmt::{Display, Write};

pub use chart::{Chart, Series};
pub use dendrogram::dendrogram;
pub use heat::heat_map;

/// What lmz is drawn in, and what everything else is.
const OURS: &str = "#c2410c";
const OTHERS: &str = "#475569";
/// Axes and what is beside the matter.
const FAINT: &str = "#cbd5e1";
const INK: &str = "#1e293b";

fn color(codec: &str) -> &'static str {
    if codec.starts_with("lmz") { OURS } else { OTHERS }
}

/// A drawing, from the left and the top, in pixels.
struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Which point of a text stands at its place.
#[derive(Clone, Copy, PartialEq)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// The size of the text in a drawing, in pixels.
const FONT: f64 = 12.0;

impl Svg {
    fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        self.path(&[from, to], stroke, "");
    }

    /// Lines from point to point; `more` are other attributes.
    fn path(&mut self, points: &[(f64, f64)], stroke: &str, more: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        let _ = writeln!(
            self.body,
            r#"<polyline points="{points}" fill="none" stroke="{stroke}" {more}/>"#
        );
    }

    fn circle(&mut self, (x, y): (f64, f64), fill: &str) {
        let _ = writeln!(self.body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{fill}"/>"#);
    }

    fn rectangle(&mut self, (x, y): (f64, f64), width: f64, height: f64, fill: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{fill}"/>"#
        );
    }

    /// A rectangle that tells something where it is pointed at.
    fn titled_rectangle(
        &mut self,
        (x, y): (f64, f64),
        width: f64,
        height: f64,
        fill: &str,
        title: impl Display,
    ) {
        let title = escaped(&title.to_string());
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
            fill=\"{fill}\"><title>{title}</title></rect>"
        );
    }

    /// A text whose base line begins, ends or has its middle here.
    fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, fill: &str, text: impl Display) {
        self.text_with((x, y), anchor, fill, text, "");
    }

    /// A text with other attributes.
    fn text_with(
        &mut self,
        (x, y): (f64, f64),
        anchor: Anchor,
        fill: &str,
        text: impl Display,
        more: &str,
    ) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(&text.to_string());
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" {more}>{text}</text>"#,
            more = format_args!(r#"fill="{fill}" {more}"#),
        );
    }

    fn finish(self) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
            viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" \
            font-size=\"{FONT}\">\n\
            <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
        )
    }
}

/// How wide a text is, about: nothing here knows the font. Wide enough for letters of a usual sans
/// serif.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * FONT * 0.56
}

/// A text for XML; what XML cannot hold becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

/// The distance of marks on an axis so long: about eight of 1, 2 or 5 times a power of ten.
fn step(length: f64) -> f64 {
    let power = 10f64.powf((length / 8.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|n| n * power)
        .find(|step| length / step <= 8.0)
        .unwrap_or(power)
}
