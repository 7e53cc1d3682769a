//! A matrix of distances as squares: the darker, the nearer.

use lmz::similarity::Distances;

use super::{Anchor, FONT, INK, Svg, text_width};

/// The side of a square, in pixels.
const SIDE: f64 = 16.0;

/// All distances, texts in this order. SVG. The least distance of two texts is darkest and the
/// largest is white; what a text has to itself is mostly nearer than the least.
pub fn heat_map(names: &[String], distances: &Distances, order: &[usize], title: &str) -> String {
    let wide = order.iter().map(|x| text_width(&names[*x])).fold(40.0, f64::max) + 12.0;
    let side = order.len() as f64 * SIDE;
    let (left, top) = (wide, wide + 36.0);
    let mut svg = Svg::new((left + side + 10.0).max(400.0), top + side + 40.0);
    svg.text_with((10.0, 24.0), Anchor::Start, INK, title, "font-size=\"15\"");
    let pairs = || {
        let of = |x: usize| (0..x).map(move |y| (x, y));
        (0..order.len()).flat_map(of).map(|(x, y)| distances.get(order[x], order[y]))
    };
    let least = pairs().fold(f64::INFINITY, f64::min);
    let most = pairs().fold(f64::NEG_INFINITY, f64::max);
    for (row, x) in order.iter().enumerate() {
        let y = top + row as f64 * SIDE;
        svg.text((left - 6.0, y + SIDE * 0.5 + FONT * 0.35), Anchor::End, INK, &names[*x]);
        // Names above stand upright.
        let place = (left + row as f64 * SIDE + SIDE * 0.5 + FONT * 0.35, top - 6.0);
        let turned = format!("transform=\"rotate(-90 {:.1} {:.1})\"", place.0, place.1);
        svg.text_with(place, Anchor::Start, INK, &names[*x], &turned);
        for (column, other) in order.iter().enumerate() {
            let d = distances.get(*x, *other);
            let far =
                if most > least { ((d - least) / (most - least)).clamp(0.0, 1.0) } else { 0.0 };
            let fill = shade(far);
            let place = (left + column as f64 * SIDE, y);
            svg.titled_rectangle(
                place,
                SIDE,
                SIDE,
                &fill,
                format_args!("{} and {}: {d:.4}", names[*x], names[*other]),
            );
        }
    }
    if least.is_finite() {
        let scale = format!("dark: {least:.3} (the nearest two), white: {most:.3}");
        svg.text((10.0, top + side + 24.0), Anchor::Start, INK, scale);
    }
    svg.finish()
}

/// From dark to white.
fn shade(far: f64) -> String {
    let mix = |dark: f64| (dark + (255.0 - dark) * far).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(124.0), mix(45.0), mix(18.0))
}
