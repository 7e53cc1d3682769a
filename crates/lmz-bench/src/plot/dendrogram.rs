//! A tree of texts, from the root on the left to the leaves on the right.

use super::{Anchor, FONT, INK, OTHERS, Svg, text_width};
use crate::similarity::tree::Tree;

/// Height of a leaf, and width of the longest path, in pixels.
const LINE: f64 = 18.0;
const WIDE: f64 = 480.0;

/// A tree whose branches are as long as they are. SVG. Branches of a length below 0 are drawn with
/// none.
pub fn dendrogram(tree: &Tree, names: &[String], title: &str) -> String {
    let leaves = tree.leaves();
    let wide = leaves.iter().map(|x| text_width(&names[*x])).fold(40.0, f64::max);
    let mut svg = Svg::new(WIDE + wide + 40.0, leaves.len() as f64 * LINE + 60.0);
    svg.text_with((10.0, 24.0), Anchor::Start, INK, title, "font-size=\"15\"");
    let longest = tree.height();
    let mut drawing = Drawing {
        svg: &mut svg,
        names,
        scale: if longest > 0.0 { WIDE / longest } else { 0.0 },
        next: 50.0,
    };
    drawing.draw(tree, 10.0);
    svg.finish()
}

struct Drawing<'a> {
    svg: &'a mut Svg,
    names: &'a [String],
    /// Pixels for a distance of 1.
    scale: f64,
    /// Where the next leaf stands.
    next: f64,
}

impl Drawing<'_> {
    /// Draws a tree whose root stands at `x`, and says how far down.
    fn draw(&mut self, tree: &Tree, x: f64) -> f64 {
        let parts = match tree {
            Tree::Leaf(number) => {
                let y = self.next;
                self.next += LINE;
                let base = y + FONT * 0.35;
                self.svg.text((x + 5.0, base), Anchor::Start, INK, &self.names[*number]);
                return y;
            }
            Tree::Join(parts) => parts,
        };
        let mut ends = Vec::new();
        for (part, length) in parts {
            let end = x + length.max(0.0) * self.scale;
            let y = self.draw(part, end);
            self.svg.line((x, y), (end, y), OTHERS);
            ends.push(y);
        }
        let (first, last) = (ends.first().copied(), ends.last().copied());
        let (first, last) = (first.unwrap_or(self.next), last.unwrap_or(self.next));
        self.svg.line((x, first), (x, last), OTHERS);
        (first + last) / 2.0
    }
}
