//! Measurements of many files and codecs, as tables.
//!
//! [`Comparison`] collects [`Row`]s; its columns are the same in every [`Format`]. Sizes are in
//! bytes; a rate is coded bytes in percent of raw ones, bpb are bits for each byte; speeds are in
//! kB (1,000 raw bytes) a second of wall time.

mod format;

use super::codec::ModelSize;
use super::cost::Adjust;
use super::measure::Measurement;
pub use format::{Format, grouped};
pub(crate) use format::{escaped, quoted};

/// What became of one codec on one file, or on all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub file: String,
    pub codec: String,
    /// The library behind it, and what is set.
    pub version: String,
    pub model: Option<ModelSize>,
    pub outcome: Outcome,
    /// How many files it stands for.
    pub files: usize,
}

/// Whether there is a measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Measured(Measurement),
    /// The codec does not take data of this form.
    NotTaken,
    /// It failed, or its result was not the same bytes: why.
    Failed(String),
}

impl Outcome {
    pub fn measured(&self) -> Option<&Measurement> {
        match self {
            Self::Measured(measurement) => Some(measurement),
            _ => None,
        }
    }
}

/// What a table shows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Columns {
    /// Leaves out speeds and memory, which no two runs have the same.
    pub sizes_only: bool,
    /// Counts the header once for each file cut into pieces ([`Measurement::header_once`]).
    pub header_once: bool,
    /// Shows the rate with the model counted.
    pub adjust: Option<Adjust>,
}

/// Rows of files and codecs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    pub rows: Vec<Row>,
    pub columns: Columns,
}

/// A value of a table.
enum Cell {
    Text(String),
    Count(u64),
    /// A number, and its digits after the point.
    Number(f64, usize),
    None,
}

/// A column: its heading for people, its name with the unit for programs, and its values.
struct Column {
    heading: &'static str,
    key: &'static str,
    cell: Box<dyn Fn(&Row) -> Cell>,
}

impl Comparison {
    /// Bytes that count as the size of a row.
    pub fn size(&self, measurement: &Measurement) -> u64 {
        if self.columns.header_once { measurement.header_once } else { measurement.coded }
    }

    /// The rows in the order of a table: files as they came, of each the smallest size first, then
    /// codecs without one.
    pub fn sorted(&self) -> Vec<&Row> {
        let mut files: Vec<&str> = Vec::new();
        for row in &self.rows {
            // Rows of a file follow each other: only the last can be the same.
            if files.last() != Some(&row.file.as_str()) {
                files.push(&row.file);
            }
        }
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        let place = |row: &Row| files.iter().position(|file| *file == row.file);
        let size = |row: &Row| row.outcome.measured().map_or(u64::MAX, |m| self.size(m));
        rows.sort_by_cached_key(|row| (place(row), size(row)));
        rows
    }

    /// A row for each codec: the sums over the files that it has a measurement of, and the most
    /// memory. The smallest rate comes first.
    pub fn totals(&self) -> Vec<Row> {
        let mut totals: Vec<Row> = Vec::new();
        for row in &self.rows {
            let Some(one) = row.outcome.measured() else { continue };
            match totals.iter_mut().find(|total| total.codec == row.codec) {
                Some(Row { files, outcome: Outcome::Measured(all), .. }) => {
                    *files += 1;
                    add(all, one);
                }
                _ => totals.push(Row { file: "total".to_owned(), files: 1, ..row.clone() }),
            }
        }
        let rate = |row: &Row| {
            row.outcome
                .measured()
                .map_or(f64::INFINITY, |m| self.size(m) as f64 / m.raw.max(1) as f64)
        };
        totals.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
        totals
    }

    /// Different files, failed ones too.
    pub fn files(&self) -> usize {
        let mut files: Vec<&str> = self.rows.iter().map(|row| &row.file[..]).collect();
        files.sort_unstable();
        files.dedup();
        files.len()
    }

    fn columns(&self) -> Vec<Column> {
        fn column(
            heading: &'static str,
            key: &'static str,
            cell: impl Fn(&Row) -> Cell + 'static,
        ) -> Column {
            Column { heading, key, cell: Box::new(cell) }
        }
        let Columns { sizes_only, header_once, adjust } = self.columns;
        let size = move |m: &Measurement| if header_once { m.header_once } else { m.coded };
        let measured = |row: &Row, value: &dyn Fn(&Measurement) -> Cell| {
            row.outcome.measured().map_or(Cell::None, value)
        };
        // An empty file has no rate.
        let per_raw = |m: &Measurement, value: f64, digits| match m.raw {
            0 => Cell::None,
            raw => Cell::Number(value / raw as f64, digits),
        };
        let speed = |m: &Measurement, seconds: f64| match seconds {
            0.0 => Cell::None,
            _ => Cell::Number(m.raw as f64 / seconds / 1e3, 0),
        };
        let mut columns = vec![
            column("file", "file", |row| Cell::Text(row.file.clone())),
            column("codec", "codec", |row| Cell::Text(row.codec.clone())),
            column("bytes", "raw_bytes", move |row| measured(row, &|m| Cell::Count(m.raw))),
            column("size", "coded_bytes", move |row| match &row.outcome {
                Outcome::Measured(m) => Cell::Count(size(m)),
                Outcome::NotTaken => Cell::None,
                Outcome::Failed(_) => Cell::Text("failed".to_owned()),
            }),
            column("rate %", "rate_percent", move |row| {
                measured(row, &|m| per_raw(m, 100.0 * size(m) as f64, 2))
            }),
            column("bpb", "bits_per_byte", move |row| {
                measured(row, &|m| per_raw(m, 8.0 * size(m) as f64, 3))
            }),
        ];
        if let Some(adjust) = adjust {
            columns.push(column("adjusted %", "adjusted_rate_percent", move |row| {
                let model = 100.0 * adjust.rate(row.model);
                measured(row, &|m| match per_raw(m, 100.0 * size(m) as f64, 2) {
                    Cell::Number(rate, digits) => Cell::Number(rate + model, digits),
                    none => none,
                })
            }));
        }
        if !sizes_only {
            columns.extend([
                column("compress kB/s", "compress_kB_per_s", move |row| {
                    measured(row, &|m| speed(m, m.compress))
                }),
                column("decompress kB/s", "decompress_kB_per_s", move |row| {
                    measured(row, &|m| speed(m, m.decompress))
                }),
                column("peak memory MB", "peak_memory_MB", move |row| {
                    measured(row, &|m| {
                        m.memory.map_or(Cell::None, |bytes| Cell::Number(bytes as f64 / 1e6, 1))
                    })
                }),
            ]);
        }
        columns
    }
}

/// Adds one file's measurement to the others'.
fn add(all: &mut Measurement, one: &Measurement) {
    all.pieces += one.pieces;
    all.raw += one.raw;
    all.coded += one.coded;
    all.header_once += one.header_once;
    all.compress += one.compress;
    all.decompress += one.decompress;
    all.memory = all.memory.max(one.memory);
}
