//! The page: everything in one file of HTML, the text readable without scripts. All that comes from
//! the content or from a name goes through [`Escaped`].

use std::fmt::{self, Write};
use std::ops::Range;
use std::path::Path;

use lmz::explain::BlockCost;
use lmz::format::Method;
use lmz::vocab::Vocabulary;
use lmz::{Explanation, Predictor, Reason};

use super::super::args::STDIN;
use super::cells::{End, Row, Shown, visible};
use super::{curve, data};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How many rows are put on the page, and coloured, at once.
const SECTION: usize = 50;
/// Lines in the table of the most expensive ones, and characters that are shown of each.
const DEAREST: usize = 10;
const BEGINNING: usize = 120;

/// What a page is made of.
pub struct Page<'a> {
    pub path: &'a Path,
    pub raw: &'a [u8],
    pub predictor: &'a Predictor,
    /// The explanation of the first bytes in the archive that lmz makes.
    pub both: &'a Explanation,
    /// Why each block is coded as it is.
    pub whys: &'a [Reason],
    /// The explanation of an archive by context mixing alone, if something else predicts in `both`.
    pub contexts: Option<&'a Explanation>,
    /// Bytes of the archive that a language model makes without context mixing.
    pub model: Option<u64>,
}

/// Text in HTML, in attributes too.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Bits per byte; of nothing 0.
fn bpb(bits: f64, bytes: u64) -> f64 {
    bits / bytes.max(1) as f64
}

/// How much smaller the first is, in percent.
fn saved(smaller: u64, larger: u64) -> f64 {
    100.0 - 100.0 * smaller as f64 / larger.max(1) as f64
}

/// How a part of a block is coded.
fn way(method: Method, read: bool) -> &'static str {
    match (method, read) {
        (Method::Stored, _) => "stored as it is",
        (Method::Rle, _) => "one byte repeated",
        (Method::LmCm | Method::DeviceLmCm, true) => "model and context mixing",
        (Method::Cm, _) | (Method::LmCm | Method::DeviceLmCm, false) => "context mixing alone",
        (Method::Modelled | Method::DeviceLm, _) => "model alone",
        (other, _) => other.name(),
    }
}

impl Page<'_> {
    pub fn html(&self) -> String {
        let mut out = String::new();
        // Writing into a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn vocabulary(&self) -> &Vocabulary {
        match self.predictor {
            Predictor::Model(model) => model.vocabulary(),
            Predictor::DeviceBound(model) => model.vocabulary(),
            _ => Vocabulary::bytes(),
        }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let shown = Shown::new(self.raw, self.both, self.contexts);
        let name = match self.path.file_name() {
            _ if self.path == Path::new(STDIN) => "standard input".to_owned(),
            name => visible(name.unwrap_or_default().as_encoded_bytes()),
        };
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
            <meta name=viewport content=\"width=device-width,initial-scale=1\">\n\
            <meta name=generator content=\"lmz {}\">\n<title>{} \u{2013} where the bits \
            go</title>\n\
            <style>\n{STYLE}</style>\n</head>\n<body>\n",
            env!("CARGO_PKG_VERSION"),
            Escaped(&name)
        )?;
        self.header(out, &name)?;
        self.totals(out)?;
        if shown.bytes() < self.raw.len() {
            writeln!(
                out,
                "<p class=note>Only the first {} of {} bytes are shown below (<code>--limit</code> \
                shows more). The sizes above are those of the whole file.</p>",
                shown.bytes(),
                self.raw.len()
            )?;
        }
        self.curve(out, &shown)?;
        self.segments(out, &shown)?;
        dearest(out, &shown)?;
        self.text(out, &shown)?;
        writeln!(
            out,
            "<div id=tip hidden></div>\n<script type=\"application/octet-stream\" \
            id=data>{}</script>\n\
            <script>\n{SCRIPT}</script>\n</body>\n</html>",
            data::pack(&shown, self.vocabulary())
        )
    }

    fn header(&self, out: &mut String, name: &str) -> fmt::Result {
        let (raw, archive) = (self.raw.len() as u64, self.both.archive);
        writeln!(
            out,
            "<h1>{}</h1>\n<p>{raw} bytes, compressed to <strong>{archive}</strong>: {:.3} bits per \
            byte.</p>",
            Escaped(name),
            bpb(archive as f64 * 8.0, raw)
        )?;
        let model = match self.predictor {
            Predictor::Ppm => "ppm, the baseline".to_owned(),
            Predictor::Model(model) => {
                let name = visible(model.name().as_bytes());
                format!("model {}, identity <code>{}</code>", Escaped(&name), model.identity())
            }
            Predictor::DeviceBound(model) => {
                let name = visible(model.name().as_bytes());
                format!(
                    "device-bound model {}, identity <code>{}</code>",
                    Escaped(&name),
                    model.identity()
                )
            }
            _ => "no model, context mixing alone".to_owned(),
        };
        writeln!(out, "<p class=soft>lmz {}; {model}</p>", env!("CARGO_PKG_VERSION"))
    }

    /// The sizes of real archives of the whole content.
    fn totals(&self, out: &mut String) -> fmt::Result {
        let (raw, both) = (self.raw.len() as u64, self.both.archive);
        let name = match self.predictor {
            Predictor::Ppm => "ppm",
            // Where the model helps nowhere, context mixing works alone.
            Predictor::Model(_) | Predictor::DeviceBound(_) if self.reads() => {
                "what lmz makes: both together"
            }
            Predictor::Model(_) | Predictor::DeviceBound(_) => "what lmz makes",
            _ => "context mixing alone",
        };
        let mut rows = vec![("", "as it is", raw)];
        rows.extend(
            self.contexts.map(|e| ("contexts", "context mixing alone (--model none)", e.archive)),
        );
        rows.extend(self.model.map(|bytes| ("model", "model alone (--mix off)", bytes)));
        rows.push(("both", name, both));
        let most = rows.iter().map(|row| row.2).max().unwrap_or(0).max(1);
        *out += "<h2>Archives of the whole file</h2>\n<table>\n<tr><th>coded by<th \
            class=n>bytes<th class=n>bits per byte<th class=n>of raw<th class=bar>\n";
        for (class, name, bytes) in rows {
            writeln!(
                out,
                "<tr><td>{name}<td class=n>{bytes}<td class=n>{:.3}<td class=n>{:.1}%<td \
                class=bar><i class=\"{class}\" style=\"width:{:.1}%\"></i>",
                bpb(bytes as f64 * 8.0, raw),
                100.0 * bytes as f64 / raw.max(1) as f64,
                100.0 * bytes as f64 / most as f64
            )?;
        }
        *out += "</table>\n<p class=soft>Each row is an archive that was made, with its header and \
            checks.";
        let sizes = self.contexts.map(|e| e.archive).zip(self.model);
        if let Some((contexts, model)) = sizes.filter(|sizes| both < sizes.0.min(sizes.1)) {
            write!(
                out,
                " With the model the archive is {:.1}% smaller than by context mixing alone; with \
                context mixing it is {:.1}% smaller than by the model alone.",
                saved(both, contexts),
                saved(both, model)
            )?;
        }
        *out += "</p>\n";
        Ok(())
    }

    /// Whether a language model reads any of what is shown.
    fn reads(&self) -> bool {
        self.both.tokens.iter().any(|t| t.said.is_some())
    }

    /// The keys of the lines of curve and tooltip that there are, with what they are called.
    fn ways(&self) -> Vec<(&'static str, &'static str)> {
        let mut ways = vec![("both", "as coded")];
        ways.extend(self.reads().then_some(("model", "model alone")));
        ways.extend(self.contexts.map(|_| ("contexts", "context mixing alone")));
        ways
    }

    fn curve(&self, out: &mut String, shown: &Shown) -> fmt::Result {
        let (svg, window) = curve::svg(shown);
        *out += "<h2>Bits per byte over the text</h2>\n<figure>\n";
        *out += &svg;
        *out += "\n<figcaption>";
        for (class, name) in self.ways() {
            write!(out, "<span class=\"key {class}\"></span>{name}")?;
        }
        writeln!(
            out,
            ". Windows of {window} bytes, by their place in the file; ideal code lengths. A click \
            goes to the text.</figcaption>\n</figure>"
        )
    }

    /// Which method coded which part.
    fn segments(&self, out: &mut String, shown: &Shown) -> fmt::Result {
        let end = shown.bytes() as u64;
        let parts = |b: &BlockCost| b.segments.iter().filter(|s| s.range.start < end).count();
        let open =
            if self.both.blocks.iter().map(parts).sum::<usize>() <= 4 { " open" } else { "" };
        write!(out, "<details{open}>\n<summary>How the blocks are coded</summary>\n")?;
        if self.both.blocks.is_empty() {
            *out += "<p>There are none: the file is empty.</p>\n";
        }
        for (block, why) in self.both.blocks.iter().zip(self.whys) {
            let range = &block.range;
            let length = range.end - range.start;
            writeln!(
                out,
                "<p>Bytes {} to {}: {} coded bytes, {:.3} bits per byte. {}.</p>\n<table>\n\
                <tr><th>from byte<th class=n>bytes<th class=n>bits<th class=n>bits per \
                byte<th>coded by",
                range.start,
                range.end - 1,
                block.coded,
                bpb(block.coded as f64 * 8.0, length),
                Escaped(&sentence(why.words()))
            )?;
            for segment in block.segments.iter().filter(|s| s.range.start < end) {
                let Range { start, end } = segment.range;
                let [first, last] = [start, end]
                    .map(|at| shown.cells.partition_point(|c| (c.range.start as u64) < at));
                let cells = &shown.cells[first..last];
                let bits: f64 = cells.iter().map(|cell| cell.bits).sum();
                let bytes: usize = cells.iter().map(|cell| cell.range.len()).sum();
                let cut = if (bytes as u64) < end - start {
                    format!(" (of {})", end - start)
                } else {
                    String::new()
                };
                writeln!(
                    out,
                    "<tr><td>{start}<td class=n>{bytes}{cut}<td class=n>{bits:.0}<td \
                    class=n>{:.3}<td>{}",
                    bpb(bits, bytes as u64),
                    way(block.method, segment.read)
                )?;
            }
            *out += "</table>\n";
        }
        *out += "<p class=soft>What a model reads of a large block is cut into stripes, several of \
            which are coded side by side, a token of each in turn: each begins without knowing the \
            text before it, but the context models learn from all.</p>\n</details>\n";
        Ok(())
    }

    fn text(&self, out: &mut String, shown: &Shown) -> fmt::Result {
        *out += "<h2>The text</h2>\n<p class=soft>Every token is coloured by its bits per byte; \
            pointing at it, or a tap, shows what it cost and what the model expected. By keyboard: \
            <kbd>Tab</kbd> into the text, then the arrows; <kbd>Esc</kbd> ends. The margin has the \
            number of each line and its bits.</p>\n<noscript>Colours and costs of tokens need \
            scripts.</noscript>\n\
            <div class=view><fieldset><legend>Colour by</legend>";
        for (i, (key, name)) in self.ways().into_iter().enumerate() {
            let checked = if i == 0 { " checked" } else { "" };
            write!(out, "<label><input type=radio name=view value={key}{checked}> {name}</label>")?;
        }
        *out += "</fieldset><div class=scale title=\"bits per byte\">";
        for (i, label) in
            ["0", "\u{bc}", "\u{bd}", "1", "1\u{bd}", "2", "3", "4", "6+"].into_iter().enumerate()
        {
            write!(out, "<span class=c{i}>{label}</span>")?;
        }
        *out += "<span>&nbsp;bits per byte</span></div></div>\n<div class=text id=text tabindex=0 \
            role=document aria-label=\"The text, coloured by cost\">\n";
        let dearest = dearest_lines(&shown.rows);
        for rows in shown.rows.chunks(SECTION) {
            *out += "<section>\n";
            for row in rows {
                let class = match row.end {
                    End::Open => " class=o",
                    End::Lf => "",
                    End::CrLf => " class=r",
                };
                let (number, id) = match row.line {
                    0 => (String::new(), String::new()),
                    n if dearest.iter().any(|d| d.line == n) => {
                        (n.to_string(), format!(" id=L{n}"))
                    }
                    n => (n.to_string(), String::new()),
                };
                let bits = if row.bits > 0.0 { format!("{:.1}", row.bits) } else { String::new() };
                writeln!(
                    out,
                    "<p{id}{class} data-n=\"{number}\" data-b=\"{bits}\">{}</p>",
                    Escaped(&row.text)
                )?;
            }
            *out += "</section>\n";
        }
        *out += "</div>\n";
        Ok(())
    }
}

/// The rows that cost most, the most expensive first.
fn dearest_lines(rows: &[Row]) -> Vec<&Row> {
    let mut lines: Vec<&Row> = rows.iter().filter(|row| row.line > 0 && row.bits > 0.0).collect();
    lines.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.line.cmp(&b.line)));
    lines.truncate(DEAREST);
    lines
}

fn dearest(out: &mut String, shown: &Shown) -> fmt::Result {
    let lines = dearest_lines(&shown.rows);
    if lines.len() < 2 {
        return Ok(());
    }
    *out += "<details>\n<summary>The most expensive lines</summary>\n<table class=lines>\n<tr><th \
        class=n>line<th class=n>bits<th class=n>bits per byte<th>text\n";
    for row in lines {
        let text: String = row.text.chars().take(BEGINNING).collect();
        writeln!(
            out,
            "<tr><td class=n><a href=\"#L{0}\">{0}</a><td class=n>{1:.0}<td class=n>{2:.2}<td \
            class=text>{3}",
            row.line,
            row.bits,
            bpb(row.bits, row.range.len() as u64),
            Escaped(&text)
        )?;
    }
    *out += "</table>\n</details>\n";
    Ok(())
}

/// With a capital.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
