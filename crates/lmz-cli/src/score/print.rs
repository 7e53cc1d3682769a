//! What `lmz score` prints: a line for each document, tables, or lines of JSON.

use std::fmt::Write;

use anyhow::Result;
use lmz::format::printable;
use lmz::score::{Score, Scored, Surprisal, Unit};
use serde::Serialize;

use super::super::say;

/// How it is printed.
pub enum Print {
    Text,
    Tsv(Unit),
    Json { by: Option<Unit>, predictor: String },
}

/// A document in JSON. The names are those of lm-evaluation-harness where it has one.
#[derive(Serialize)]
struct Line<'a> {
    document: Option<&'a str>,
    predictor: &'a str,
    bytes: u64,
    tokens: u64,
    words: u64,
    bits: f64,
    bits_per_byte: f64,
    bits_per_token: f64,
    byte_perplexity: f64,
    token_perplexity: f64,
    word_perplexity: f64,
    /// The natural logarithm of the probability.
    loglikelihood: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Vec<Part>>,
}

/// A part of a document in JSON.
#[derive(Serialize)]
struct Part {
    offset: u64,
    text: String,
    surprisal: f64,
}

impl Print {
    /// What stands above everything.
    pub fn begin(&self) -> Result<()> {
        match self {
            Self::Text => say::print_line(format_args!(
                "{:>10} {:>10} {:>9} {:>12} {:>9} {:>10} {:>9} {:>11}  document",
                "bytes",
                "tokens",
                "words",
                "bytes coded",
                "bits/byte",
                "bits/token",
                "ppl/token",
                "ppl/word"
            )),
            Self::Tsv(_) => say::print("offset\ttoken\tsurprisal\tcumulative\tdocument\n"),
            Self::Json { .. } => Ok(()),
        }
    }

    /// A document.
    pub fn document(&self, name: &str, content: &[u8], scored: &Scored) -> Result<()> {
        match self {
            Self::Text => row(&scored.score, name),
            Self::Tsv(unit) => {
                let (mut out, mut sum) = (String::new(), 0.0);
                let name = printable(name).to_string();
                for part in scored.by(*unit, content) {
                    sum += part.bits;
                    let text = escaped(bytes(content, &part));
                    let at = part.range.start;
                    writeln!(out, "{at}\t{text}\t{:.4}\t{sum:.4}\t{name}", part.bits)?;
                }
                say::print(out)
            }
            Self::Json { by, predictor } => {
                let part = |part: Surprisal| Part {
                    offset: part.range.start,
                    text: String::from_utf8_lossy(bytes(content, &part)).into_owned(),
                    surprisal: part.bits,
                };
                let units = by.map(|unit| scored.by(unit, content).into_iter().map(part).collect());
                json(&scored.score, predictor, Some(name), units)
            }
        }
    }

    /// All documents together.
    pub fn total(&self, sum: &Score) -> Result<()> {
        match self {
            Self::Text => row(sum, "total"),
            Self::Tsv(_) => Ok(()),
            Self::Json { predictor, .. } => json(sum, predictor, None, None),
        }
    }
}

fn bytes<'a>(content: &'a [u8], part: &Surprisal) -> &'a [u8] {
    &content[part.range.start as usize..part.range.end as usize]
}

fn row(score: &Score, name: &str) -> Result<()> {
    say::print_line(format_args!(
        "{:>10} {:>10} {:>9} {:>12.1} {:>9.4} {:>10.4} {:>9.3} {:>11.3}  {name}",
        score.bytes,
        score.tokens,
        score.words,
        score.bits / 8.0,
        score.bits_per_byte(),
        score.bits_per_token(),
        score.token_perplexity(),
        score.word_perplexity(),
    ))
}

fn json(
    score: &Score,
    predictor: &str,
    document: Option<&str>,
    units: Option<Vec<Part>>,
) -> Result<()> {
    let line = Line {
        document,
        predictor,
        bytes: score.bytes,
        tokens: score.tokens,
        words: score.words,
        bits: score.bits,
        bits_per_byte: score.bits_per_byte(),
        bits_per_token: score.bits_per_token(),
        byte_perplexity: score.byte_perplexity(),
        token_perplexity: score.token_perplexity(),
        word_perplexity: score.word_perplexity(),
        loglikelihood: score.log_likelihood(),
        units,
    };
    say::print(format_args!("{}\n", serde_json::to_string(&line)?))
}

/// A text that is one field of a table: nothing in it ends a field or a line, or acts on a
/// terminal.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    c.encode_utf8(&mut buffer).bytes().for_each(|b| hex(&mut out, b));
                }
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| hex(&mut out, *b));
    }
    out
}

fn hex(out: &mut String, byte: u8) {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
    out.extend(['\\', 'x', digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_one_field() {
        let text = "a\tb\\\n\r\u{1b}[0mé".as_bytes();
        assert_eq!(escaped(text), "a\\tb\\\\\\n\\r\\x1b[0mé");
        assert_eq!(escaped(b"\xff\xc3"), "\\xff\\xc3");
    }
}
