//! Lines over a logarithmic axis.

use super::{Anchor, FAINT, FONT, INK, OTHERS, Svg, step};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 560.0;
/// The area between the axes: left, top, right, bottom. Names of lines stand at their right ends.
const AREA: (f64, f64, f64, f64) = (80.0, 60.0, 720.0, 500.0);
/// What lines of lmz are drawn in, one after the other.
const OURS: [&str; 6] = ["#c2410c", "#0f766e", "#7c3aed", "#b91c1c", "#a16207", "#1d4ed8"];

/// A line through points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// A codec's name.
    pub name: String,
    /// From left to right; both coordinates above 0.
    pub points: Vec<(f64, f64)>,
    /// How many of the points were measured. The line goes on dashed to those behind them.
    pub measured: usize,
}

/// Lines over one axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    pub title: String,
    /// What is said below the title: of the vertical axis.
    pub about: String,
    /// What is said below the horizontal axis, which is logarithmic.
    pub across: String,
    /// Marks of the horizontal axis.
    pub marks: Vec<(f64, String)>,
    /// Whether the vertical axis is logarithmic too.
    pub log: bool,
    /// What stands behind numbers of the vertical axis.
    pub unit: &'static str,
    pub series: Vec<Series>,
}

impl Chart {
    /// The drawing. SVG.
    pub fn draw(&self) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT);
        svg.text_with((AREA.0, 26.0), Anchor::Start, INK, &self.title, "font-size=\"15\"");
        svg.text((AREA.0, 46.0), Anchor::Start, INK, &self.about);
        svg.text(((AREA.0 + AREA.2) / 2.0, HEIGHT - 18.0), Anchor::Middle, INK, &self.across);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let places = || points().map(|(x, _)| *x).chain(self.marks.iter().map(|(x, _)| *x));
        let (left, right) = ends(places());
        let (low, high, marks) = self.vertical(ends(points().map(|(_, y)| *y)));
        let x =
            |x: f64| AREA.0 + (x / left).ln() / (right / left).ln().max(1e-9) * (AREA.2 - AREA.0);
        let y = |y: f64| {
            let part = if self.log {
                (y / low).ln() / (high / low).ln()
            } else {
                (y - low) / (high - low)
            };
            AREA.3 - part * (AREA.3 - AREA.1)
        };
        for (at, name) in &self.marks {
            svg.line((x(*at), AREA.1), (x(*at), AREA.3), FAINT);
            svg.text((x(*at), AREA.3 + 18.0), Anchor::Middle, INK, name);
        }
        for (at, name) in marks {
            svg.line((AREA.0, y(at)), (AREA.2, y(at)), FAINT);
            svg.text((AREA.0 - 8.0, y(at) + 4.0), Anchor::End, INK, name);
        }
        let mut colors = OURS.iter().cycle();
        let mut names = Vec::new();
        for series in &self.series {
            let ours = series.name.starts_with("lmz");
            let color = if ours { *colors.next().unwrap_or(&INK) } else { OTHERS };
            let line: Vec<(f64, f64)> =
                series.points.iter().map(|point| (x(point.0), y(point.1))).collect();
            let (measured, further) = line.split_at(series.measured.min(line.len()));
            svg.path(measured, color, "stroke-width=\"2\"");
            if let (Some(last), [_, ..]) = (measured.last(), further) {
                svg.path(
                    &[&[*last], further].concat(),
                    color,
                    "stroke-width=\"1.5\" stroke-dasharray=\"5 4\"",
                );
            }
            measured.iter().for_each(|point| svg.circle(*point, color));
            if let Some(end) = line.last() {
                names.push((*end, &series.name, color));
            }
        }
        // Beside the ends of the lines, one below the other.
        names.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
        let room = FONT + 3.0;
        let mut next = f64::NEG_INFINITY;
        for (number, (end, name, color)) in names.iter().enumerate() {
            let lowest = HEIGHT - (names.len() - number) as f64 * room;
            let at = end.1.max(next).min(lowest);
            next = at + room;
            svg.line(*end, (AREA.2 + 6.0, at), FAINT);
            svg.text((AREA.2 + 9.0, at + FONT * 0.35), Anchor::Start, color, name);
        }
        svg.finish()
    }

    /// Where the vertical axis begins and ends, and its marks.
    fn vertical(&self, (least, most): (f64, f64)) -> (f64, f64, Vec<(f64, String)>) {
        let name = |value: f64, digits: usize| format!("{value:.digits$}{}", self.unit);
        if self.log {
            let (low, high) = (
                least.log10().floor() as i32,
                (most.log10().ceil() as i32).max(least.log10() as i32 + 1),
            );
            let mark = |power: i32| {
                let value = 10f64.powi(power);
                (value, name(value, usize::try_from(-power).unwrap_or(0)))
            };
            return (10f64.powi(low), 10f64.powi(high), (low..=high).map(mark).collect());
        }
        let step = step(most * 1.05);
        let count = (most * 1.05 / step).ceil() as i32;
        let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let marks =
            (0..=count).map(|n| (f64::from(n) * step, name(f64::from(n) * step, digits))).collect();
        (0.0, f64::from(count) * step, marks)
    }
}

/// The least and the largest value above 0; of nothing 1 and 10.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let above = values.filter(|value| value.is_finite() && *value > 0.0);
    let (least, most) =
        above.fold((f64::INFINITY, 0.0), |(a, b): (f64, f64), value| (a.min(value), b.max(value)));
    if most > 0.0 { (least, most) } else { (1.0, 10.0) }
}
