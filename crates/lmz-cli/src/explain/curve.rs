//! The curve of bits per byte over a text, as SVG.

use std::fmt::Write;

use super::cells::{Cell, Shown};

/// Windows that a curve has at most, and bytes that a window has at least.
const WINDOWS: usize = 160;
const LEAST: usize = 32;
/// The plot, in units of the drawing.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 36.0;
const BOTTOM: f64 = 26.0;
const TOP: f64 = 8.0;

type Cost = fn(&Cell) -> Option<f64>;

/// One line for each way to code: a class, and the cost of a cell.
const LINES: [(&str, Cost); 3] =
    [("contexts", |c| c.contexts), ("model", |c| c.model), ("both", |c| Some(c.bits))];

/// Bits per byte of each window, where all cells have the cost.
fn rates(shown: &Shown, window: usize, cost: Cost) -> Vec<Option<f64>> {
    let count = shown.bytes().div_ceil(window);
    let (mut bits, mut bytes) = (vec![Some(0.0); count], vec![0; count]);
    for cell in &shown.cells {
        let at = cell.range.start / window;
        bits[at] = bits[at].zip(cost(cell)).map(|(sum, cost)| sum + cost);
        bytes[at] += cell.range.len();
    }
    bits.into_iter()
        .zip(bytes)
        .map(|(bits, bytes)| bits.filter(|_| bytes > 0).map(|b| b / bytes as f64))
        .collect()
}

/// The drawing, and how many bytes a window of it has.
pub fn svg(shown: &Shown) -> (String, usize) {
    let bytes = shown.bytes().max(1);
    let window = bytes.div_ceil(WINDOWS).max(LEAST);
    let lines = LINES.map(|(class, cost)| (class, rates(shown, window, cost)));
    let highest =
        lines.iter().flat_map(|(_, rates)| rates).flatten().fold(1.0f64, |a, b| a.max(*b));
    let top = highest.ceil();
    let x = |byte: usize| LEFT + (WIDTH - LEFT - 8.0) * byte.min(bytes) as f64 / bytes as f64;
    let y = |rate: f64| TOP + (HEIGHT - BOTTOM - TOP) * (1.0 - rate / top);

    let mut out = format!(
        "<svg id=curve viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=img data-left={LEFT} data-right={} \
        data-bytes={bytes} aria-label=\"Bits per byte over the text, in windows of {window} \
        bytes\">\n<g class=axis>",
        WIDTH - 8.0
    );
    let step = (top / 4.0).ceil();
    let mut rate = 0.0;
    while rate <= top {
        let at = y(rate);
        put(&mut out, format_args!("<path d=\"M{LEFT} {at:.1}H{}\"/>", WIDTH - 8.0));
        put(
            &mut out,
            format_args!("<text x={} y={:.1} text-anchor=end>{rate}</text>", LEFT - 6.0, at + 4.0),
        );
        rate += step;
    }
    let step = nice(bytes / 6);
    for byte in (0..=bytes).step_by(step) {
        let anchor = if byte == 0 {
            "start"
        } else if x(byte) > WIDTH - 50.0 {
            "end"
        } else {
            "middle"
        };
        put(
            &mut out,
            format_args!(
                "<text x={:.1} y={} text-anchor={anchor}>{byte}</text>",
                x(byte),
                HEIGHT - 8.0
            ),
        );
    }
    out += "</g>\n";
    for (class, rates) in &lines {
        let mut path = String::new();
        let mut pen = 'M';
        for (i, rate) in rates.iter().enumerate() {
            let Some(rate) = rate else {
                pen = 'M';
                continue;
            };
            // Steps: a window's rate is that of all its bytes.
            put(
                &mut path,
                format_args!(
                    "{pen}{:.1} {:.1}H{:.1}",
                    x(i * window),
                    y(*rate),
                    x((i + 1) * window)
                ),
            );
            pen = 'L';
        }
        if !path.is_empty() {
            put(&mut out, format_args!("<path class={class} d=\"{path}\"/>\n"));
        }
    }
    out += "<path id=mark d=\"\"/></svg>";
    (out, window)
}

/// Writing into a string does not fail.
fn put(out: &mut String, text: std::fmt::Arguments) {
    let _ = out.write_fmt(text);
}

/// A round number from about this on: 1, 2 or 5 and zeros.
fn nice(least: usize) -> usize {
    let mut ten = 1usize;
    loop {
        for n in [1, 2, 5] {
            if n * ten >= least {
                return n * ten;
            }
        }
        ten *= 10;
    }
}
