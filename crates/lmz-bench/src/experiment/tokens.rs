//! Bytes against tokens: how many symbols each codec reads, and what one costs.

use serde_json::json;

use super::{
    Bench, ExperimentError, Record, Report, csv, markdown, round, rows, set_json, set_line,
};
use crate::codecs::lmz::Lmz;
use crate::data::DataSet;
use crate::table::{Comparison, Outcome, Row};
use crate::{Codec, Settings};
use ::lmz::Predictor;

/// What the experiment is done on and with.
pub struct Tokens {
    /// Coded as a whole.
    pub set: DataSet,
    pub codecs: Vec<Box<dyn Codec>>,
}

/// What came of a codec.
struct Entry {
    codec: String,
    version: String,
    /// Symbols that it has.
    alphabet: usize,
    /// Symbols that it read.
    symbols: u64,
    raw: u64,
    coded: u64,
    /// What a language model alone had said of the data, in bits a byte, where it read all of it.
    said: Option<f64>,
}

impl Entry {
    fn bits_per_byte(&self) -> f64 {
        8.0 * self.coded as f64 / self.raw.max(1) as f64
    }

    fn bits_per_symbol(&self) -> f64 {
        8.0 * self.coded as f64 / self.symbols.max(1) as f64
    }

    fn bytes_per_symbol(&self) -> f64 {
        self.raw as f64 / self.symbols.max(1) as f64
    }
}

impl Tokens {
    /// Measures everything.
    pub fn run(&self, bench: &mut Bench) -> Result<Report, ExperimentError> {
        let whole = [self.set.whole()];
        let (mut entries, mut failures, mut comparison) =
            (Vec::new(), Vec::new(), Comparison::default());
        for codec in &self.codecs {
            let (name, version) = (codec.name().to_owned(), codec.version());
            (bench.progress)(&format!("{name} on {}", self.set.name));
            let outcome = bench.runner.run(&**codec, &whole, None, Settings::default())?;
            if let Outcome::Failed(why) = &outcome {
                failures.push(why.clone());
            }
            if let Some(m) = outcome.measured() {
                let (alphabet, symbols, said) = match vocabulary(&name)? {
                    Some(tokens) => {
                        let explained = bench.explain(&name, &self.set, &whole)?;
                        let all = explained.token_bytes == m.raw && m.raw > 0;
                        (tokens, explained.symbols, all.then(|| explained.said / m.raw as f64))
                    }
                    None => (256, m.raw, None),
                };
                let (codec, version) = (name.clone(), version.clone());
                entries.push(Entry {
                    codec,
                    version,
                    alphabet,
                    symbols,
                    raw: m.raw,
                    coded: m.coded,
                    said,
                });
            }
            let (file, model) = (self.set.name.clone(), codec.model());
            comparison.rows.push(Row { file, codec: name, version, model, outcome, files: 1 });
        }
        let records: Vec<Record> = entries.iter().map(record).collect();
        Ok(Report {
            csv: csv(&records),
            json: json!({ "set": set_json(&self.set), "rows": rows(&records) }),
            markdown: self.markdown(&entries),
            plots: vec![("", comparison.plot_bars_apart())],
            failures,
        })
    }

    fn markdown(&self, entries: &[Entry]) -> String {
        let mut out =
            "## Bytes against tokens\n\nThe data coded as a whole. Alphabet: the symbols that a \
            codec predicts, 256 for bytes; a language model's tokens are the symbols where it \
            reads, bytes elsewhere. Bits are of whole archives. Model alone: -log2 of its own \
            probabilities, where it read all of the data.\n\n"
                .to_owned();
        let heads = [
            "codec",
            "alphabet",
            "symbols",
            "bytes a symbol",
            "bits a symbol",
            "bits a byte",
            "model alone, bits a byte",
        ];
        let lines = entries.iter().map(|entry| {
            vec![
                entry.codec.clone(),
                entry.alphabet.to_string(),
                crate::table::grouped(entry.symbols),
                format!("{:.3}", entry.bytes_per_symbol()),
                format!("{:.3}", entry.bits_per_symbol()),
                format!("{:.3}", entry.bits_per_byte()),
                entry.said.map_or_else(|| "-".to_owned(), |said| format!("{said:.3}")),
            ]
        });
        out += &markdown(&heads.map(str::to_owned), 1, &lines.collect::<Vec<_>>());
        out + "\n## Data\n\n" + &set_line(&self.set)
    }
}

fn record(entry: &Entry) -> Record {
    vec![
        ("codec", json!(entry.codec)),
        ("alphabet", json!(entry.alphabet)),
        ("raw_bytes", json!(entry.raw)),
        ("coded_bytes", json!(entry.coded)),
        ("symbols", json!(entry.symbols)),
        ("bytes_per_symbol", json!(round(entry.bytes_per_symbol(), 4))),
        ("bits_per_symbol", json!(round(entry.bits_per_symbol(), 4))),
        ("bits_per_byte", json!(round(entry.bits_per_byte(), 4))),
        ("model_alone_bits_per_byte", json!(entry.said.map(|said| round(said, 4)))),
        ("version", json!(entry.version)),
    ]
}

/// The tokens of the model of a codec of this name, if it is lmz with one.
fn vocabulary(codec: &str) -> Result<Option<usize>, ExperimentError> {
    let lmz = Lmz::find(codec, 1)?;
    Ok(lmz.and_then(|lmz| match lmz.options().get_predictor()? {
        Predictor::Model(model) => Some(model.vocabulary().len()),
        Predictor::DeviceBound(model) => Some(model.vocabulary().len()),
        _ => None,
    }))
}
