//! How a table is written.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Cell, Column, Comparison, Row};

/// The ways to write a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal: a group of lines for each file, and one for the totals.
    Table,
    /// A line for each file and codec, then for each codec's total; numbers are plain.
    Csv,
    /// An object with `rows` and `totals`; numbers are plain.
    Json,
    /// One table of the files and one of the totals.
    Markdown,
}

impl Comparison {
    /// The table as text, with a line end. `totals_only`: without the files.
    pub fn write(&self, format: Format, totals_only: bool) -> String {
        let rows = if totals_only { Vec::new() } else { self.sorted() };
        let totals = self.totals();
        let totals: Vec<&Row> = totals.iter().collect();
        let columns = self.columns();
        match format {
            Format::Table => self.terminal(&columns, &rows, &totals),
            Format::Csv => csv(&columns, rows.iter().chain(&totals)),
            Format::Json => json(&columns, &rows, &totals),
            Format::Markdown => self.markdown(&columns, &rows, &totals),
        }
    }

    /// The codec of a total, and how many of the files it has, if not all.
    pub(crate) fn codec(&self, row: &Row) -> String {
        let all = self.files();
        if row.files == all {
            row.codec.clone()
        } else {
            format!("{} ({} of {all} files)", row.codec, row.files)
        }
    }

    fn terminal(&self, columns: &[Column], rows: &[&Row], totals: &[&Row]) -> String {
        // The file and its bytes stand above its lines.
        let shown: Vec<&Column> =
            columns.iter().filter(|c| !["file", "raw_bytes"].contains(&c.key)).collect();
        let mut groups: Vec<(String, Vec<Vec<String>>)> = Vec::new();
        let mut last = None;
        for row in rows {
            if last != Some(&row.file) {
                let same = rows.iter().filter(|other| other.file == row.file);
                let raw = same.filter_map(|other| other.outcome.measured()).map(|m| m.raw).next();
                let bytes = raw.map_or_else(String::new, |raw| format!(", {} bytes", grouped(raw)));
                groups.push((format!("{}{bytes}", row.file), Vec::new()));
                last = Some(&row.file);
            }
            let line = shown.iter().map(|c| human((c.cell)(row))).collect();
            groups.last_mut().expect("a group was begun").1.push(line);
        }
        let raw = totals
            .iter()
            .filter_map(|row| row.outcome.measured())
            .map(|m| m.raw)
            .max()
            .unwrap_or(0);
        let heading = format!("total of {} files, {} bytes", self.files(), grouped(raw));
        let lines = totals.iter().map(|row| {
            let cell =
                |c: &&Column| if c.key == "codec" { self.codec(row) } else { human((c.cell)(row)) };
            shown.iter().map(cell).collect()
        });
        groups.push((heading, lines.collect()));
        let width = |i: usize| {
            let cells =
                groups.iter().flat_map(|(_, lines)| lines).map(|line| line[i].chars().count());
            cells.chain([shown[i].heading.len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..shown.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).enumerate().map(|(i, (cell, width))| match i {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
        };
        let mut out = line(&mut shown.iter().map(|c| c.heading));
        for (heading, lines) in &groups {
            let _ = writeln!(out, "{heading}");
            lines.iter().for_each(|cells| out += &line(&mut cells.iter().map(String::as_str)));
        }
        out
    }

    fn markdown(&self, columns: &[Column], rows: &[&Row], totals: &[&Row]) -> String {
        let left = |c: &Column| ["file", "codec"].contains(&c.key);
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let table = |columns: Vec<&Column>, rows: &[&Row]| {
            let mut out = line(columns.iter().map(|c| c.heading.to_owned()).collect());
            out += &format!(
                "|{}\n",
                columns.iter().map(|c| if left(c) { "---|" } else { "---:|" }).collect::<String>()
            );
            for row in rows {
                let cell = |c: &&Column| match c.key {
                    "codec" if totals.iter().any(|total| std::ptr::eq(*total, *row)) => {
                        escaped(&self.codec(row))
                    }
                    _ => escaped(&human((c.cell)(row))),
                };
                out += &line(columns.iter().map(cell).collect());
            }
            out
        };
        let files = if rows.is_empty() {
            String::new()
        } else {
            table(columns.iter().collect(), rows) + "\n"
        };
        format!("{files}Total of {} files:\n\n", self.files())
            + &table(columns.iter().filter(|c| c.key != "file").collect(), totals)
    }
}

/// Keeps a bar in a name from beginning a cell.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The columns for programs, with those that only they get.
fn csv<'a>(columns: &[Column], rows: impl Iterator<Item = &'a &'a Row>) -> String {
    let mut out = columns
        .iter()
        .map(|c| c.key)
        .chain(["files", "pieces", "version"])
        .collect::<Vec<_>>()
        .join(",")
        + "\n";
    for row in rows {
        let cells = columns.iter().map(|c| match (c.cell)(row) {
            Cell::Text(text) => quoted(&text),
            Cell::Count(count) => count.to_string(),
            Cell::Number(number, digits) => format!("{number:.digits$}"),
            Cell::None => String::new(),
        });
        let pieces = row.outcome.measured().map_or_else(String::new, |m| m.pieces.to_string());
        let more = [row.files.to_string(), pieces, quoted(&row.version)];
        out += &(cells.chain(more).collect::<Vec<_>>().join(",") + "\n");
    }
    out
}

/// A field of CSV (RFC 4180).
pub(crate) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn json(columns: &[Column], rows: &[&Row], totals: &[&Row]) -> String {
    let object = |row: &&Row| {
        let cells = columns.iter().map(|c| {
            let value = match (c.cell)(row) {
                Cell::Text(text) => Value::from(text),
                Cell::Count(count) => Value::from(count),
                Cell::Number(number, digits) => {
                    // Elsewhere this many digits are shown too.
                    let scale = 10f64.powi(digits as i32);
                    Value::from((number * scale).round() / scale)
                }
                Cell::None => Value::Null,
            };
            (c.key.to_owned(), value)
        });
        let mut object: Map<String, Value> = cells.collect();
        object.insert("files".to_owned(), row.files.into());
        object.insert("pieces".to_owned(), row.outcome.measured().map(|m| m.pieces).into());
        object.insert("version".to_owned(), row.version.clone().into());
        if let super::Outcome::Failed(why) = &row.outcome {
            object.insert("failure".to_owned(), why.clone().into());
        }
        Value::Object(object)
    };
    let rows: Vec<Value> = rows.iter().map(object).collect();
    let totals: Vec<Value> = totals.iter().map(object).collect();
    let all = json!({ "lmz": env!("CARGO_PKG_VERSION"), "rows": rows, "totals": totals });
    format!("{all:#}\n")
}

/// A cell as people read it: groups of three digits, a dash for nothing.
fn human(cell: Cell) -> String {
    match cell {
        Cell::Text(text) => text,
        Cell::Count(count) => grouped(count),
        Cell::Number(number, 0) => grouped(number.round() as u64),
        Cell::Number(number, digits) => format!("{number:.digits$}"),
        Cell::None => "-".to_owned(),
    }
}

/// A number with a comma between each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
