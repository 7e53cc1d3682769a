//! The experiments of "Language Modeling Is Compression", and one of tokens: each measures and
//! gives a [`Report`].
//!
//! | experiment | question |
//! |---|---|
//! | [`table`] | how small text, images, sound and noise become, cut into pieces and whole |
//! | [`scaling`] | from how much data on a model is worth its own bytes |
//! | [`context`] | what a byte costs by its place in a piece |
//! | [`tokens`] | bytes against larger alphabets |
//!
//! Rates are coded bytes in percent of raw ones. Everything that is called a size was decoded and
//! compared.

pub mod context;
pub mod explained;
pub mod scaling;
pub mod table;
pub mod tokens;

use serde_json::Value;

use super::codec::{Codec, ModelSize};
use super::codecs::{self, FindError};
use super::cost::{Adjust, Counting};
use super::data::{DataError, DataSet};
use super::runner::Runner;
use super::state::{State, StateError};
use super::table::{escaped, quoted};
use explained::Explained;

/// Why an experiment stopped. Codecs that fail alone do not stop one.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(
        "{codec}: expected lmz with one of its predictors, found another codec; its costs are not \
        known byte by byte"
    )]
    NotOurs { codec: String },
    #[error("{codec} on {set}: {source}")]
    Explain { codec: String, set: String, source: ::lmz::Error },
}

/// What experiments measure with, and whom they tell.
pub struct Bench<'a> {
    pub runner: Runner,
    /// Costs that are kept.
    pub explained: State<Explained>,
    /// Is told what is measured next.
    pub progress: &'a mut dyn FnMut(&str),
}

/// What came of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The numbers, a line for each measurement.
    pub csv: String,
    /// The numbers, and where they are from.
    pub json: Value,
    /// A text for people.
    pub markdown: String,
    /// Drawings (SVG), with what is added to a file's name for each.
    pub plots: Vec<(&'static str, String)>,
    /// What failed, while everything else was done.
    pub failures: Vec<String>,
}

/// The codecs of these names, models loaded.
pub fn find(names: &[String], threads: usize) -> Result<Vec<Box<dyn Codec>>, FindError> {
    names.iter().map(|name| codecs::find(name, threads)).collect()
}

/// The rate in percent with the model counted.
fn adjusted(rate: f64, model: Option<ModelSize>, counting: Counting, over: u64) -> f64 {
    rate + 100.0 * Adjust { counting, over }.rate(model)
}

/// A Markdown table; the first `left` columns hold text.
fn markdown(heads: &[String], left: usize, rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule: String = (0..heads.len()).map(|i| if i < left { "---|" } else { "---:|" }).collect();
    line(heads) + "|" + &rule + "\n" + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// A line of a report's numbers, in the order of its columns. All lines of a report have the same
/// names.
type Record = Vec<(&'static str, Value)>;

/// Records as CSV.
fn csv(records: &[Record]) -> String {
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let heads = records
        .iter()
        .take(1)
        .map(|record| line(record.iter().map(|(key, _)| (*key).to_owned()).collect()));
    let lines = records.iter().map(|record| {
        let cells = record.iter().map(|(_, value)| match value {
            Value::Null => String::new(),
            Value::String(text) => quoted(text),
            other => quoted(&other.to_string()),
        });
        line(cells.collect())
    });
    heads.chain(lines).collect()
}

/// Records as an array of objects.
fn rows(records: &[Record]) -> Value {
    let object = |record: &Record| {
        record.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    };
    Value::Array(records.iter().map(|record| Value::Object(object(record))).collect())
}

/// A number with at most `digits` digits after the point, for files.
fn round(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}

/// What a data set is, for files.
fn set_json(set: &DataSet) -> Value {
    let whole = set.whole();
    serde_json::json!({
        "name": set.name,
        "about": set.about,
        "bytes": set.raw(),
        "pieces": set.pieces.len(),
        "files": set.files,
        "blake3": blake3::hash(&whole.bytes).to_hex().to_string(),
    })
}

/// What a data set is, for people: a line of a list.
fn set_line(set: &DataSet) -> String {
    let bytes = super::table::grouped(set.raw());
    let files = match set.files.len() {
        0 => String::new(),
        1 => " 1 file.".to_owned(),
        n => format!(" {n} files."),
    };
    format!(
        "- **{}**: {bytes} bytes, {} pieces. {}{files}\n",
        set.name,
        set.pieces.len(),
        set.about
    )
}
