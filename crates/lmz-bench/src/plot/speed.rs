//! Rate against speed.

use super::{Anchor, FAINT, INK, Svg, color, labels, step};
use crate::table::Comparison;
use crate::table::grouped;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 560.0;
/// The area between the axes: left, top, right, bottom.
const AREA: (f64, f64, f64, f64) = (70.0, 50.0, 870.0, 500.0);

/// A codec with its speed in bytes a second and its rate in percent.
struct Point {
    codec: String,
    speed: f64,
    rate: f64,
}

impl Comparison {
    /// The rate of each codec over all files against the speed at which it compresses, the latter
    /// on a logarithmic axis, with the Pareto front: those codecs than which none is both faster
    /// and smaller. Codecs that do not have all files, whose totals are not of the same data, are
    /// left out. SVG.
    pub fn plot_speed(&self) -> String {
        let mut points: Vec<Point> = Vec::new();
        let totals = self.totals();
        let complete: Vec<_> = totals.iter().filter(|row| row.files == self.files()).collect();
        for row in &complete {
            if let Some(m) = row.outcome.measured()
                && m.raw > 0
                && m.compress > 0.0
            {
                let rate = 100.0 * self.size(m) as f64 / m.raw as f64;
                points.push(Point {
                    codec: self.codec(row),
                    speed: m.raw as f64 / m.compress,
                    rate,
                });
            }
        }
        let mut svg = Svg::new(WIDTH, HEIGHT);
        let raw = complete
            .iter()
            .filter_map(|row| row.outcome.measured())
            .map(|m| m.raw)
            .max()
            .unwrap_or(0);
        let bytes = grouped(raw);
        let title =
            format!("Rate against speed of compressing: {} files, {bytes} bytes", self.files());
        svg.text_with((AREA.0, 28.0), Anchor::Start, INK, title, "font-size=\"15\"");
        let fold = |start: f64, pick: fn(f64, f64) -> f64, value: fn(&Point) -> f64| {
            points.iter().map(value).fold(start, pick)
        };
        let slowest = fold(f64::INFINITY, f64::min, |p| p.speed).min(1e9);
        let fastest = fold(0.0, f64::max, |p| p.speed).max(slowest);
        // Whole decades, with some room for labels.
        let (low, high) = ((slowest / 1.5).log10().floor(), (fastest * 1.5).log10().ceil());
        let (least, most) =
            (fold(f64::INFINITY, f64::min, |p| p.rate).min(100.0), fold(0.0, f64::max, |p| p.rate));
        let step = step((most - least).max(1.0) * 1.2);
        let (bottom, top) = (
            ((least - step / 4.0) / step).floor() * step,
            ((most + step / 4.0) / step).ceil() * step,
        );
        let x = |speed: f64| AREA.0 + (speed.log10() - low) / (high - low) * (AREA.2 - AREA.0);
        let y = |rate: f64| AREA.3 - (rate - bottom) / (top - bottom) * (AREA.3 - AREA.1);
        for decade in low as i32..=high as i32 {
            let at = x(10f64.powi(decade));
            svg.line((at, AREA.1), (at, AREA.3), FAINT);
            svg.text((at, AREA.3 + 18.0), Anchor::Middle, INK, speed(decade));
        }
        for tick in 0..=((top - bottom) / step).round() as i32 {
            let rate = bottom + f64::from(tick) * step;
            svg.line((AREA.0, y(rate)), (AREA.2, y(rate)), FAINT);
            let digits = usize::from(step < 1.0);
            svg.text((AREA.0 - 8.0, y(rate) + 4.0), Anchor::End, INK, format!("{rate:.digits$} %"));
        }
        svg.text(
            ((AREA.0 + AREA.2) / 2.0, HEIGHT - 18.0),
            Anchor::Middle,
            INK,
            "raw bytes compressed a second (faster to the right)",
        );
        svg.text(
            (AREA.0, AREA.1 - 8.0),
            Anchor::Start,
            INK,
            "coded bytes in percent of raw ones (smaller below); line: Pareto front",
        );
        points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let mut front: Vec<(f64, f64)> = Vec::new();
        let mut reached = 0.0;
        for point in &points {
            if point.speed > reached {
                reached = point.speed;
                front.push((x(point.speed), y(point.rate)));
            }
        }
        svg.path(&front, "#94a3b8", "stroke-dasharray=\"5 4\"");
        let named: Vec<_> =
            points.iter().map(|p| ((x(p.speed), y(p.rate)), p.codec.clone())).collect();
        let places = labels::place(&named, &front, (AREA.0, AREA.1, AREA.2 + 20.0, AREA.3));
        for ((at, codec), place) in named.iter().zip(places) {
            if place.led {
                svg.line(*at, (place.at.0, place.at.1 - 4.0), FAINT);
            }
            svg.circle(*at, color(codec));
            svg.text(place.at, place.anchor, color(codec), codec);
        }
        svg.finish()
    }
}

/// A power of ten bytes a second.
fn speed(decade: i32) -> String {
    let (unit, power) = match decade {
        ..3 => ("B/s", 0),
        3..6 => ("kB/s", 3),
        6..9 => ("MB/s", 6),
        _ => ("GB/s", 9),
    };
    format!("{} {unit}", 10f64.powi(decade - power))
}
