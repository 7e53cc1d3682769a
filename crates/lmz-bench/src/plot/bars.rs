//! The rate of each codec on each file.

use super::{Anchor, FAINT, FONT, INK, Svg, color, text_width};
use crate::table::{Comparison, Row, grouped};

/// Width of the bar of 100%, in pixels; longer ones are cut off and say so.
const FULL: f64 = 200.0;
/// Height of a codec's line.
const LINE: f64 = 15.0;
/// Files side by side.
const ACROSS: usize = 4;

impl Comparison {
    /// A small chart for each file and one for the totals, four in a row: the rate of each codec as
    /// a bar with its number. The codecs have the same order in all of them, that of the totals.
    /// SVG.
    pub fn plot_bars(&self) -> String {
        self.bars(true)
    }

    /// Small charts as in [`plot_bars`](Self::plot_bars) but without the totals, for files that
    /// have nothing in common.
    pub fn plot_bars_apart(&self) -> String {
        self.bars(false)
    }

    fn bars(&self, with_totals: bool) -> String {
        let totals = self.totals();
        let codecs: Vec<&str> = totals.iter().map(|row| &row.codec[..]).collect();
        let mut charts: Vec<(String, Vec<&Row>)> = Vec::new();
        for row in self.sorted() {
            match charts.last_mut() {
                Some((file, rows)) if *file == row.file => rows.push(row),
                _ => charts.push((row.file.clone(), vec![row])),
            }
        }
        if with_totals {
            charts.push((format!("total of {} files", self.files()), totals.iter().collect()));
        }
        // Only the first chart of a row names the codecs: the others stand in line with it.
        let names = codecs.iter().map(|codec| text_width(codec)).fold(40.0, f64::max) + 20.0;
        let (width, height) = (FULL + 60.0, codecs.len() as f64 * LINE + 46.0);
        let across = ACROSS.min(charts.len()) as f64;
        let down = charts.len().div_ceil(ACROSS) as f64;
        // The title has to fit in.
        let mut svg = Svg::new((names + across * width + 10.0).max(450.0), down * height + 50.0);
        let title = "Coded bytes in percent of raw ones (shorter is smaller)";
        svg.text_with((10.0, 26.0), Anchor::Start, INK, title, "font-size=\"15\"");
        for (number, (file, rows)) in charts.iter().enumerate() {
            let left = names + (number % ACROSS) as f64 * width;
            let top = 50.0 + (number / ACROSS) as f64 * height;
            let raw = rows.iter().filter_map(|row| row.outcome.measured()).map(|m| m.raw).max();
            let bytes = raw.map_or_else(String::new, |raw| format!(", {} bytes", grouped(raw)));
            svg.text((left, top + 8.0), Anchor::Start, INK, fitting(file, &bytes, width - 10.0));
            svg.line((left, top + 14.0), (left, top + 18.0 + codecs.len() as f64 * LINE), FAINT);
            for (line, codec) in codecs.iter().enumerate() {
                let y = top + 18.0 + line as f64 * LINE;
                let base = y + LINE * 0.5 + FONT * 0.35;
                if number % ACROSS == 0 {
                    svg.text((left - 6.0, base), Anchor::End, color(codec), codec);
                }
                let row = rows.iter().find(|row| row.codec == *codec);
                let measured = row.and_then(|row| row.outcome.measured()).filter(|m| m.raw > 0);
                let Some(m) = measured else {
                    svg.text((left + 4.0, base), Anchor::Start, FAINT, "-");
                    continue;
                };
                let rate = self.size(m) as f64 / m.raw as f64;
                let long = (rate * FULL).min(FULL);
                svg.rectangle((left, y + 2.0), long, LINE - 4.0, color(codec));
                let cut = if rate > 1.0 { "> " } else { "" };
                svg.text_with(
                    (left + long + 4.0, base),
                    Anchor::Start,
                    INK,
                    format!("{cut}{:.1}", 100.0 * rate),
                    "font-size=\"10\"",
                );
            }
        }
        svg.finish()
    }
}

/// A file's name and its bytes, with the beginning of the name left out where both are too long.
fn fitting(file: &str, bytes: &str, width: f64) -> String {
    let whole = format!("{file}{bytes}");
    if text_width(&whole) <= width {
        return whole;
    }
    let mut tail: Vec<char> = file.chars().collect();
    while !tail.is_empty()
        && text_width(&format!("...{}{bytes}", tail.iter().collect::<String>())) > width
    {
        tail.remove(0);
    }
    format!("...{}{bytes}", tail.iter().collect::<String>())
}
