//! Where labels go beside points that stand close together.

use super::{Anchor, FONT, text_width};

/// A rectangle by its corners: left, top, right, bottom.
#[derive(Clone, Copy)]
struct Area(f64, f64, f64, f64);

impl Area {
    /// Pixels that two have in common.
    fn overlap(self, other: Self) -> f64 {
        let width = self.2.min(other.2) - self.0.max(other.0);
        let height = self.3.min(other.3) - self.1.max(other.1);
        width.max(0.0) * height.max(0.0)
    }
}

/// A label's place.
pub struct Placed {
    pub at: (f64, f64),
    pub anchor: Anchor,
    /// Whether it is so far from its point that a line must lead there.
    pub led: bool,
}

/// Finds a place for each point's label, in their order: the nearest one where it covers no point,
/// no other label, none of the line from corner to corner and, as far as it can be, no edge of the
/// area (left, top, right, bottom).
pub fn place(
    points: &[((f64, f64), String)],
    line: &[(f64, f64)],
    edges: (f64, f64, f64, f64),
) -> Vec<Placed> {
    let mut taken: Vec<Area> =
        points.iter().map(|((x, y), _)| Area(x - 5.0, y - 5.0, x + 5.0, y + 5.0)).collect();
    taken.extend(line.windows(2).flat_map(|ends| along(ends[0], ends[1])));
    let mut out = Vec::new();
    for ((x, y), text) in points {
        let width = text_width(text);
        let mut best: Option<(f64, Placed, Area)> = None;
        for ring in 0..8 {
            let far = f64::from(ring) * 11.0;
            for (dx, dy, anchor) in [
                (8.0 + far / 2.0, 0.0, Anchor::Start),
                (-8.0 - far / 2.0, 0.0, Anchor::End),
                (6.0 + far / 2.0, -10.0 - far, Anchor::Start),
                (6.0 + far / 2.0, 10.0 + far, Anchor::Start),
                (-6.0 - far / 2.0, -10.0 - far, Anchor::End),
                (-6.0 - far / 2.0, 10.0 + far, Anchor::End),
                (0.0, -13.0 - far, Anchor::Middle),
                (0.0, 13.0 + far, Anchor::Middle),
            ] {
                let left = match anchor {
                    Anchor::Start => x + dx,
                    Anchor::Middle => x + dx - width / 2.0,
                    Anchor::End => x + dx - width,
                };
                let middle = y + dy;
                let area = Area(left, middle - FONT * 0.55, left + width, middle + FONT * 0.55);
                let outside = (edges.0 - area.0).max(0.0) + (area.2 - edges.2).max(0.0);
                let outside = outside + (edges.1 - area.1).max(0.0) + (area.3 - edges.3).max(0.0);
                let covered: f64 = taken.iter().map(|other| area.overlap(*other)).sum();
                // Anything covered is worse than any distance.
                let cost = covered * 10.0 + outside * 100.0 + f64::from(ring);
                if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                    let at = (x + dx, middle + FONT * 0.35);
                    best = Some((cost, Placed { at, anchor, led: ring > 1 }, area));
                }
            }
        }
        if let Some((_, placed, area)) = best {
            taken.push(area);
            out.push(placed);
        }
    }
    out
}

/// Small areas on a line, one beside the other.
fn along(from: (f64, f64), to: (f64, f64)) -> impl Iterator<Item = Area> {
    let steps = ((to.0 - from.0).hypot(to.1 - from.1) / 3.0).ceil().max(1.0);
    (0..=steps as usize).map(move |step| {
        let part = step as f64 / steps;
        let (x, y) = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
        Area(x - 1.0, y - 1.0, x + 1.0, y + 1.0)
    })
}
